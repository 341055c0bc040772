// A real client library (oauth4webapi) that makes the mistakes which sign-ins fail of without a word.
// usage: node mistakes.mjs ISSUER RESOURCE SCOPE
// Prints first {"jwks"}, the public key of a client for client_credentials that signs who it is and may ask for SCOPE, and reads its
// client_id as one line; then one JSON line a mistake, as mistake.mjs says.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import * as oauth from 'oauth4webapi';
import { discoverAt, mistake } from './mistake.mjs';
import { Party } from './party.mjs';

const [issuer, resource, scope] = process.argv.slice(2);
const party = new Party(issuer, resource, scope);
await party.discover();
party.client = await party.register('a mistaken client');

const { publicKey, privateKey } = await oauth.generateKeyPair('ES256', { extractable: true });
const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey);
const signer = { key: privateKey, kid: 'clock' };
const lines = createInterface({ input: process.stdin });
console.log(JSON.stringify({ jwks: { keys: [{ kty, crv, x, y, kid: signer.kid, alg: 'ES256', use: 'sig' }] } }));
const [signingId] = await once(lines, 'line');
lines.close();

const begun = Date.now();
const late = await party.authorize();

/** What the authorization endpoint sends the browser back with, as the library reads it. */
const asking = (change) => async () => party.answer(await party.authorize(change));
/** A page that leads nowhere: the person reads it. */
const stopped = (change, client) => async () => {
  const { url } = await party.request(change, client);
  const response = await fetch(url, { headers: { accept: 'text/html' } });
  if (!response.ok) throw new Error(await response.text());
};
const verifier = oauth.generateRandomCodeVerifier();
const hash = createHash('sha256').update(verifier).digest();
const other = await party.authorize();

await mistake('plain sent as S256', 'pkce_plain_sent_as_s256', 'has to hash it first', async () =>
  party.redeem(await party.authorize({ code_challenge: verifier }), { verifier }),
);
await mistake('a padded challenge', 'pkce_challenge_padded', 'take the = off the end', asking({ code_challenge: `${hash.toString('base64url')}=` }));
await mistake('the hash in hexadecimal digits', 'pkce_challenge_hex', 'send the base64url', asking({ code_challenge: hash.toString('hex') }));
await mistake('the hash of the hexadecimal hash', 'pkce_hash_of_hex', 'has to hash the code_verifier', async () => {
  const challenge = createHash('sha256').update(hash.toString('hex')).digest('base64url');
  return party.redeem(await party.authorize({ code_challenge: challenge }), { verifier });
});
await mistake('the verifier of another attempt', 'pkce_verifier_of_another_attempt', 'keep one code_verifier for each attempt', async () =>
  party.redeem(await party.authorize(), { verifier: other.verifier }),
);
await mistake('a redirect with one more slash', 'redirect_differs_in_slash', 'add it again', stopped({ redirect_uri: `${party.redirectUri}/` }));
await mistake('a redirect in other case', 'redirect_differs_in_case', 'add it again', stopped({ redirect_uri: party.redirectUri.replace('callback', 'Callback') }));
await mistake('two slashes after the resource', 'resource_differs_in_slash', 'Take the slashes', asking({ resource: `${resource}//` }));
await mistake('the path of an older transport', 'resource_differs_in_path', 'exactly the MCP URL', asking({ resource: resource.replace(/mcp$/, 'sse') }));
await mistake('the issuer by its number', 'public_url_differs_in_loopback_name', 'use that URL', () =>
  discoverAt(issuer.replace('localhost', '127.0.0.1')),
);
/** Asks for a token of its own by a clock that is so many seconds off. */
const byClock = (seconds) => async () => {
  const client = { client_id: signingId, [oauth.clockSkew]: seconds };
  const options = { additionalParameters: { resource }, [oauth.allowInsecureRequests]: true };
  const response = await oauth.clientCredentialsGrantRequest(party.server, client, oauth.PrivateKeyJwt(signer), { scope }, options);
  return oauth.processClientCredentialsResponse(party.server, client, response);
};
await byClock(0)();
await mistake('a clock ten minutes ahead', 'client_assertion_from_the_future', 'by a right clock', byClock(600));
await mistake('a clock ten minutes behind', 'client_assertion_expired', 'by a right clock', byClock(-600));
await mistake('a client of another installation', 'client_id_damaged', 'add it again', stopped({ client_id: `${party.client.client_id.slice(0, -4)}AAAA` }));
await mistake('a code that is used twice', 'code_reused', 'Sign in again', async () => {
  const authorized = await party.authorize();
  await party.redeem(authorized);
  await party.redeem(authorized);
});
await mistake('the code of another client', 'code_of_another_client', 'send the one that asked for it', async () => {
  const thief = await party.register('another client');
  await party.redeem(await party.authorize(), { client: thief });
});
await mistake('a code that comes too late', 'code_expired', 'Sign in again', async () => {
  // A code lives for a minute, of real time: the program under test has no other.
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, begun + 63_000 - Date.now())));
  await party.redeem(late);
});
process.exit(0);

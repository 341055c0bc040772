// A real client library (oauth4webapi) that makes the mistakes which sign-ins fail of without a word.
// usage: node mistakes.mjs ISSUER RESOURCE SCOPE
// Prints one JSON line a mistake, {"mistake","reason","to_do","answer"}: the reason that `keystile doctor` must give, and what the client
// got to read, with words of what to do and a reference in it.
import { createHash } from 'node:crypto';
import * as oauth from 'oauth4webapi';
import { Party } from './party.mjs';

const [issuer, resource, scope] = process.argv.slice(2);
const party = new Party(issuer, resource, scope);
await party.discover();
party.client = await party.register('a mistaken client');
const begun = Date.now();
const late = await party.authorize();

/** Runs one mistake; what the server answered is what the library threw. */
async function mistake(name, reason, toDo, make) {
  let answer;
  try {
    await make();
    answer = 'it was accepted';
  } catch (error) {
    // The error response itself; the library keeps descriptions in the words of the server.
    answer = error.error_description ?? error.cause?.get?.('error_description') ?? error.message;
  }
  console.log(JSON.stringify({ mistake: name, reason, to_do: toDo, answer }));
}

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
await mistake('the issuer by its number', 'public_url_differs_in_loopback_name', 'use that URL', async () => {
  const numbered = new URL(issuer.replace('localhost', '127.0.0.1'));
  const response = await oauth.discoveryRequest(numbered, { algorithm: 'oauth2', [oauth.allowInsecureRequests]: true });
  throw new Error(await response.text());
});
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

// Judges an authorization server as openid-client does, the library that most Node applications sign in with.
// usage: node openid-client.mjs ISSUER RESOURCE SCOPE
// CLIENT_ID and CLIENT_SECRET (environment): a confidential client for client_credentials that may ask for SCOPE.
// Prints one JSON line a check and exits 1 if one failed.
import * as client from 'openid-client';
import { HttpPerson } from '../browser/http.mjs';
import { personFromEnvironment } from '../browser/identity.mjs';
import { check, must, refused, verdict } from './checks.mjs';

const [issuer, resource, scope] = process.argv.slice(2);
const { CLIENT_ID, CLIENT_SECRET } = process.env;
const redirectUri = 'http://127.0.0.1:18771/callback';
const loopback = { algorithm: 'oauth2', execute: [client.allowInsecureRequests] };
const device = 'urn:ietf:params:oauth:grant-type:device_code';
const metadata = {
  client_name: 'openid-client',
  application_type: 'native',
  redirect_uris: [redirectUri],
  grant_types: ['authorization_code', 'refresh_token', device],
  response_types: ['code'],
};
const person = new HttpPerson(personFromEnvironment());
let config;

await check('discovery and registration of a public client', async () => {
  const asked = { ...metadata, token_endpoint_auth_method: 'none' };
  config = await client.dynamicClientRegistration(new URL(issuer), asked, client.None(), loopback);
  must(config.serverMetadata().issuer === issuer, `issuer ${config.serverMetadata().issuer}`);
  must(config.serverMetadata().supportsPKCE(), 'it promises no S256');
});

/** What an application asks for, and what it must remember until the answer comes. */
async function ask(more = {}) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const expectedState = client.randomState();
  const parameters = {
    redirect_uri: redirectUri,
    scope: `${scope} offline_access`,
    resource,
    state: expectedState,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    ...more,
  };
  return { parameters, checks: { pkceCodeVerifier, expectedState } };
}

async function signIn(config) {
  const { parameters, checks } = await ask();
  const url = client.buildAuthorizationUrl(config, parameters);
  const callback = await person.authorize(url.href);
  person.steps.length = 0;
  return client.authorizationCodeGrant(config, new URL(callback), checks, { resource });
}

let tokens;
await check('a code with PKCE, state, iss and resource', async () => {
  tokens = await signIn(config);
  must(tokens.token_type === 'bearer' && tokens.refresh_token, `got ${Object.keys(tokens)}`);
  must(tokens.expiresIn() > 0, 'it has expired already');
  return { scope: tokens.scope };
});
await check('a refresh', async () => {
  const next = await client.refreshTokenGrant(config, tokens.refresh_token, { resource });
  must(next.refresh_token && next.refresh_token !== tokens.refresh_token, 'not rotated');
  tokens = next;
});
await check('a refresh for less, and never for more', async () => {
  await refused(() => client.refreshTokenGrant(config, tokens.refresh_token, { scope: 'admin:everything' }), 'invalid_scope');
  const narrow = scope.replace(':call', ':read');
  tokens = await client.refreshTokenGrant(config, tokens.refresh_token, { scope: narrow });
  must(tokens.scope === narrow, `scope ${tokens.scope}`);
});
await check('a revocation, after which nothing refreshes', async () => {
  await client.tokenRevocation(config, tokens.refresh_token);
  await refused(() => client.refreshTokenGrant(config, tokens.refresh_token), 'invalid_grant');
});
await check('a pushed authorization request (RFC 9126)', async () => {
  const { parameters, checks } = await ask();
  const url = await client.buildAuthorizationUrlWithPAR(config, parameters);
  must([...url.searchParams.keys()].sort().join() === 'client_id,request_uri', `${[...url.searchParams.keys()]}`);
  const callback = await person.authorize(url.href, { redirectUri });
  person.steps.length = 0;
  const pushed = await client.authorizationCodeGrant(config, new URL(callback), checks, { resource });
  must(pushed.refresh_token, `got ${Object.keys(pushed)}`);
});
await check('a device that has no browser (RFC 8628)', async () => {
  const asked = await client.initiateDeviceAuthorization(config, { scope: `${scope} offline_access`, resource });
  must(asked.user_code && asked.verification_uri_complete && asked.interval > 0, `got ${Object.keys(asked)}`);
  const polled = client.pollDeviceAuthorizationGrant(config, asked);
  await person.allowDevice(asked.verification_uri_complete);
  const got = await polled;
  must(got.refresh_token, `got ${Object.keys(got)}`);
  await client.refreshTokenGrant(config, got.refresh_token);
});

/** RFC 6749 §5.2: a client with a wrong secret gets a 401 with a challenge. */
async function notLetIn(ask) {
  const answer = await ask().catch((error) => error);
  must(answer.status === 401 && answer.cause?.[0]?.scheme === 'basic', `a wrong secret: ${answer.status} ${answer.message}`);
}

for (const [method, authentication] of [
  ['client_secret_basic', client.ClientSecretBasic],
  ['client_secret_post', client.ClientSecretPost],
]) {
  await check(`a confidential client that registers with ${method}`, async () => {
    const asked = { ...metadata, token_endpoint_auth_method: method };
    // The secret comes with the answer; until then nobody can show it.
    const registered = await client.dynamicClientRegistration(new URL(issuer), asked, undefined, loopback);
    const { client_id: id, client_secret: secret } = registered.clientMetadata();
    must(secret, 'it got no secret');
    const own = await client.discovery(new URL(issuer), id, undefined, authentication(secret), loopback);
    const got = await signIn(own);
    const told = await client.tokenIntrospection(own, got.access_token);
    must(told.active === true && told.client_id === id && told.aud === resource, JSON.stringify(told));
    await client.tokenRevocation(own, got.refresh_token);
    must((await client.tokenIntrospection(own, got.access_token)).active === false, 'it lives on');
    const wrong = await client.discovery(new URL(issuer), id, undefined, authentication(`${secret}x`), loopback);
    await notLetIn(() => client.refreshTokenGrant(wrong, got.refresh_token));
  });
}
await check('a client that acts for itself', async () => {
  const own = await client.discovery(new URL(issuer), CLIENT_ID, undefined, client.ClientSecretBasic(CLIENT_SECRET), loopback);
  const got = await client.clientCredentialsGrant(own, { scope, resource });
  must(!got.refresh_token, 'it got a refresh token');
  const wrong = await client.discovery(new URL(issuer), CLIENT_ID, undefined, client.ClientSecretBasic(`${CLIENT_SECRET}x`), loopback);
  await notLetIn(() => client.clientCredentialsGrant(wrong, { scope, resource }));
  return { scope: got.scope };
});

verdict();

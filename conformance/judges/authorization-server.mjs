// Judges an authorization server from outside, by OAuth 2.1 and its security practice.
// usage: node authorization-server.mjs ISSUER RESOURCE SCOPE
// Prints one JSON line a check, {"check","ok","detail"}, and exits 1 if one failed.
import { check, must, refused, verdict } from './checks.mjs';
import { Party } from './party.mjs';

const [issuer, resource, scope] = process.argv.slice(2);
const party = new Party(issuer, resource, scope);
const durable = { scope: `${scope} offline_access` };

await check('OIDC discovery gives the same document as RFC 8414', async () => {
  const other = await party.discover('oidc');
  const own = await party.discover('oauth2');
  must(own.issuer === other.issuer && own.token_endpoint === other.token_endpoint, 'they differ');
});
await check('the metadata promises S256, iss and says whether it fetches client documents', () => {
  const { server } = party;
  must(server.code_challenge_methods_supported?.join() === 'S256', `challenge methods ${server.code_challenge_methods_supported}`);
  must(server.authorization_response_iss_parameter_supported === true, 'no iss (RFC 9207)');
  must(server.response_types_supported.join() === 'code', `response types ${server.response_types_supported}`);
  return { cimd: server.client_id_metadata_document_supported };
});
await check('a native public client registers', async () => {
  party.client = await party.register('judge');
  must(party.client.token_endpoint_auth_method === 'none', `registered as ${party.client.token_endpoint_auth_method}`);
  must(party.client.grant_types?.includes('refresh_token'), 'the answer does not promise refresh');
});

let first;
await check('a code with PKCE, resource and iss becomes tokens', async () => {
  first = await party.authorize(durable);
  must(first.callback.searchParams.get('iss') === party.server.issuer, 'no iss in the response');
  first.tokens = await party.redeem(first);
  return { expires_in: first.tokens.expires_in, scope: first.tokens.scope };
});
await check('the access token is a JWT for this resource (RFC 9068)', async () => {
  const claims = await party.validate(first.tokens.access_token);
  must(claims.aud === resource || claims.aud?.join() === resource, `aud ${claims.aud}`);
  must(claims.client_id === party.client.client_id, `client_id ${claims.client_id}`);
  must(claims.exp - claims.iat <= 3600, 'it lives for more than an hour');
  must(first.tokens.expires_in <= claims.exp - claims.iat, 'expires_in promises more than exp keeps');
});
await check('a code is good once', () => refused(() => party.redeem(first), 'invalid_grant'));
await check('the tokens of a replayed code are revoked', () =>
  refused(() => party.refresh(first.tokens.refresh_token), 'invalid_grant'));
await check('a wrong verifier is refused, and the right one still works', async () => {
  const authorized = await party.authorize();
  await refused(() => party.redeem(authorized, { verifier: 'x'.repeat(43) }), 'invalid_grant');
  await party.redeem(authorized);
});
await check("another client's code is refused, and the owner can still redeem it", async () => {
  const authorized = await party.authorize();
  const thief = await party.register('another judge');
  await refused(() => party.redeem(authorized, { client: thief }), 'invalid_grant');
  await party.redeem(authorized);
});
await check('another redirect URI at the token endpoint is refused', async () => {
  const authorized = await party.authorize();
  await refused(() => party.redeem(authorized, { redirectUri: 'http://127.0.0.1:18770/other' }), 'invalid_grant');
});
await check('another resource at the token endpoint is refused', async () => {
  const authorized = await party.authorize();
  await refused(() => party.redeem(authorized, { resource: 'https://other.example/mcp' }), 'invalid_target');
});

const errorOf = async (change, ...codes) => {
  const authorized = await party.authorize(change);
  must(authorized.callback.searchParams.get('iss') === party.server.issuer, 'no iss in the error response');
  return refused(() => party.answer(authorized), ...codes);
};
await check('no PKCE is refused', () => errorOf({ code_challenge: null, code_challenge_method: null }, 'invalid_request'));
await check('plain PKCE is refused', () => errorOf({ code_challenge_method: 'plain' }, 'invalid_request'));
await check('an unknown resource is refused', () => errorOf({ resource: 'https://other.example/mcp' }, 'invalid_target'));
await check('an unknown response type is refused', () => errorOf({ response_type: 'token' }, 'unsupported_response_type'));
await check('an unregistered redirect URI is never redirected to', async () => {
  for (const redirect of ['https://other.example/callback', 'http://127.0.0.1:18770/callback/more', 'http://127.0.0.1.other.example:18770/callback']) {
    const { url } = await party.request({ redirect_uri: redirect });
    const response = await fetch(url, { redirect: 'manual' });
    const location = response.headers.get('location') ?? '';
    must(!location.includes('other.example') && !location.startsWith('http://127.0.0.1:18770'), `redirected to ${location}`);
    must(response.status >= 400 || location === '' || location.startsWith(party.issuer.origin), `${response.status} ${location}`);
    if (response.status < 400) must((await fetch(new URL(location, url))).status >= 400, 'the page that follows is no error');
  }
});
await check('any loopback port will do (RFC 8252 §7.3)', async () => {
  const authorized = await party.authorize({ redirect_uri: 'http://127.0.0.1:59999/callback' });
  must(authorized.callback.port === '59999', `went to ${authorized.callback.host}`);
  await party.redeem(authorized);
});
await check('the person may say no', async () => {
  const authorized = await party.authorize({}, { decision: 'deny' });
  must(authorized.callback.searchParams.get('iss') === party.server.issuer, 'no iss in the error response');
  return refused(() => party.answer(authorized), 'access_denied');
});

await check('refresh tokens rotate, a late replay ends the family', async () => {
  const generations = [(await party.redeem(await party.authorize(durable))).refresh_token];
  for (let n = 0; n < 3; n++) generations.push((await party.refresh(generations.at(-1))).refresh_token);
  must(new Set(generations).size === 4, 'not rotated');
  await refused(() => party.refresh(generations[0]), 'invalid_grant');
  return refused(() => party.refresh(generations[3]), 'invalid_grant');
});
await check('a lost answer can be asked for again: the same successor', async () => {
  const { refresh_token } = await party.redeem(await party.authorize(durable));
  const [one, two] = [await party.refresh(refresh_token), await party.refresh(refresh_token)];
  must(one.refresh_token === two.refresh_token, 'another successor');
  await party.refresh(two.refresh_token);
});
await check("another client's refresh token is refused, and changes nothing", async () => {
  const { refresh_token } = await party.redeem(await party.authorize(durable));
  const thief = await party.register('a third judge');
  await refused(() => party.refresh(refresh_token, {}, thief), 'invalid_grant');
  await party.refresh(refresh_token);
});
await check('a refresh never widens the scope', async () => {
  const { refresh_token } = await party.redeem(await party.authorize(durable));
  await refused(() => party.refresh(refresh_token, { scope: `${scope} admin:everything` }), 'invalid_scope');
});
await check('a revoked refresh token is dead (RFC 7009)', async () => {
  const { refresh_token } = await party.redeem(await party.authorize(durable));
  await party.revoke(refresh_token);
  await refused(() => party.refresh(refresh_token), 'invalid_grant');
  await party.revoke(refresh_token);
});
await check('the token endpoint takes one well-formed POST and is never cached', async () => {
  const endpoint = party.server.token_endpoint;
  const json = await fetch(endpoint, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
  must(json.status >= 400 && json.status < 500, `a JSON body: ${json.status}`);
  must((await fetch(endpoint)).status >= 400, 'a GET was answered');
  const twice = [['grant_type', 'authorization_code'], ['grant_type', 'refresh_token'], ['client_id', party.client.client_id]];
  const doubled = await fetch(endpoint, { method: 'POST', body: new URLSearchParams(twice) });
  must(doubled.status === 400, `a repeated parameter: ${doubled.status}`);
  must(doubled.headers.get('cache-control')?.includes('no-store'), `cache-control ${doubled.headers.get('cache-control')}`);
});

verdict();

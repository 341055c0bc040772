// A known-good peer: an MCP server and its authorization server (oidc-provider) on one origin, with our forms' field names.
// It shows that a driver or a judge works before Keystile is blamed, and wire fixtures are recorded against it.
// usage: [PORT=0] [HOST=127.0.0.1] [ORIGIN=http://localhost:PORT] [ACCESS_TOKEN_LIFETIME=600] [LEGACY=stateless|reject] node reference.mjs
// Prints {"mcp_url","issuer","port"} when it listens; a line on standard input revokes every grant.
import http from 'node:http';
import { createInterface } from 'node:readline';
import { createLocalJWKSet, exportJWK, generateKeyPair, jwtVerify } from 'jose';
import { Provider, errors } from 'oidc-provider';
import { answer, mcpHandler } from '../servers/modern.mjs';

const lifetime = Number(process.env.ACCESS_TOKEN_LIFETIME ?? 600);
const server = http.createServer();
await new Promise((resolve) => server.listen(Number(process.env.PORT ?? 0), process.env.HOST ?? '127.0.0.1', resolve));
const origin = process.env.ORIGIN ?? `http://localhost:${server.address().port}`;
const resource = `${origin}/reference/mcp`;
const scope = 'reference:call';

const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
const keys = createLocalJWKSet({ keys: [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' }] });
const provider = new Provider(origin, {
  jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'one', alg: 'ES256', use: 'sig' }] },
  clients: [
    {
      client_id: 'public',
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      redirect_uris: ['http://127.0.0.1/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      scope: `${scope} offline_access`,
    },
  ],
  scopes: ['offline_access', scope],
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  responseTypes: ['code'],
  pkce: { required: () => true },
  cookies: { keys: ['reference'] },
  rotateRefreshToken: true,
  issueRefreshToken: async (_, client) => client.grantTypeAllowed('refresh_token'),
  enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  extraTokenClaims: (_, token) => ({ sid: token.grantId }),
  interactions: { url: (_, interaction) => `/ks/${interaction.uid}` },
  features: {
    devInteractions: { enabled: false },
    registration: { enabled: true },
    revocation: { enabled: true },
    clientIdMetadataDocument: { enabled: process.env.CIMD === '1', ack: 'draft-02' },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, indicator) => {
        if (indicator !== resource) throw new errors.InvalidTarget();
        return { scope, audience: resource, accessTokenTTL: lifetime, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } };
      },
    },
  },
});
const revoked = new Set();
const granted = new Set();
provider.on('grant.saved', (grant) => granted.add(grant.jti));
provider.on('server_error', (_, error) => console.error(error));
// The official suite sends no scope; one is the default, as at Keystile.
provider.use(async (context, next) => {
  if (context.path === '/auth' && context.method === 'GET' && !context.query.scope) context.query = { ...context.query, scope };
  await next();
});

const oauth = provider.callback();
const mcp = mcpHandler(process.env.LEGACY ?? 'stateless');
server.on('request', async (request, response) => {
  request.headers.host = new URL(origin).host;
  const url = new URL(request.url, origin);
  if (url.pathname.startsWith('/.well-known/oauth-protected-resource')) {
    const metadata = { resource, authorization_servers: [origin], scopes_supported: [scope], bearer_methods_supported: ['header'] };
    return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(metadata));
  }
  if (url.pathname.startsWith('/ks/')) return interact(request, response, url);
  if (url.pathname !== '/reference/mcp') return oauth(request, response);
  const refusal = await refuse(request.headers.authorization);
  if (refusal === undefined) return answer(mcp, request, response, url);
  response.writeHead(401, { 'www-authenticate': `Bearer ${refusal}resource_metadata="${origin}/.well-known/oauth-protected-resource/reference/mcp", scope="${scope}"` });
  response.end();
});

/** `undefined` for a good token, else the `error` part of the challenge. */
async function refuse(authorization) {
  if (!authorization) return '';
  try {
    const { payload } = await jwtVerify(authorization.replace(/^Bearer /i, ''), keys, { issuer: origin, audience: resource });
    if (revoked.has(payload.sid)) throw new Error('revoked');
    return undefined;
  } catch {
    return 'error="invalid_token", ';
  }
}

/** Sign-in and consent: any password is good. */
async function interact(request, response, url) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
  if (request.method === 'GET') {
    const fields = prompt.name === 'login'
      ? '<input name="username"><input type="password" name="password"><button>Sign in</button>'
      : `<p>${new URL(params.redirect_uri).host}</p><button name="decision" value="deny">Deny</button><button name="decision" value="allow">Allow</button>`;
    response.writeHead(200, { 'content-type': 'text/html', 'content-security-policy': "default-src 'none'; form-action 'self' http: https: cursor:" });
    return response.end(`<!doctype html><title>Reference</title><form method="post" action="${url.pathname}">${fields}</form>`);
  }
  const form = new URLSearchParams((await request.toArray()).join(''));
  if (prompt.name === 'login') {
    return provider.interactionFinished(request, response, { login: { accountId: form.get('username') } }, { mergeWithLastSubmission: false });
  }
  if (form.get('decision') !== 'allow') {
    return provider.interactionFinished(request, response, { error: 'access_denied', error_description: 'the person said no' }, { mergeWithLastSubmission: false });
  }
  const grant = (grantId && (await provider.Grant.find(grantId))) || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  const { missingOIDCScope, missingResourceScopes = {} } = prompt.details;
  if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(' '));
  for (const [indicator, scopes] of Object.entries(missingResourceScopes)) grant.addResourceScope(indicator, scopes.join(' '));
  await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
}

createInterface({ input: process.stdin }).on('line', async () => {
  for (const id of granted) {
    revoked.add(id);
    await provider.RefreshToken.revokeByGrantId(id);
    await (await provider.Grant.find(id))?.destroy();
  }
  console.log(JSON.stringify({ revoked: granted.size }));
  granted.clear();
});
console.log(JSON.stringify({ mcp_url: resource, issuer: origin, port: server.address().port }));

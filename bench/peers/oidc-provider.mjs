// node oidc-provider in the fastest form that still does the job that Keystile is measured at: memory only, ES256 tokens
// for one resource, rotated refresh tokens, and a yes for whoever has a session, without any page.
//
// With `asking` it asks in each flow, as Keystile does, and its interaction says yes at once, without a page.
//
//   node oidc-provider.mjs NODE_MODULES PORT [asking]
import { generateKeyPairSync, randomBytes } from 'node:crypto';

const [modules, port, asking] = process.argv.slice(2);
const { Provider } = await import(`${modules}/oidc-provider/lib/index.js`);
const issuer = `http://127.0.0.1:${port}`;
const resource = `${issuer}/bench/mcp`;
const [lifetime, long] = [600, 30 * 86400];

/** Everything in maps: no copy, no eviction, no walk over what a grant has made before. */
const kept = new Map();
class Memory {
  constructor(model) { this.model = model; }
  key(id) { return `${this.model}:${id}`; }
  async upsert(id, payload) {
    kept.set(this.key(id), payload);
    if (this.model === 'Session') kept.set(`uid:${payload.uid}`, id);
  }
  async find(id) { return kept.get(this.key(id)); }
  async findByUid(uid) { return this.find(kept.get(`uid:${uid}`)); }
  async findByUserCode() { return undefined; }
  async consume(id) { kept.get(this.key(id)).consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { kept.delete(this.key(id)); }
  async revokeByGrantId() { throw new Error('no replay is part of the bench'); }
}

const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
const provider = new Provider(issuer, {
  adapter: Memory,
  clients: [{
    client_id: 'bench',
    token_endpoint_auth_method: 'none',
    // A native client is asked each time.
    application_type: 'web',
    redirect_uris: ['https://app.example/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    id_token_signed_response_alg: 'ES256',
  }],
  jwks: { keys: [{ ...key, alg: 'ES256', use: 'sig', kid: 'bench' }] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  pkce: { required: () => true },
  issueRefreshToken: () => true,
  rotateRefreshToken: true,
  ttl: { AccessToken: lifetime, AuthorizationCode: 60, Grant: long, Interaction: 600, RefreshToken: long, Session: long },
  interactions: { url: (ctx, { uid }) => `/interaction/${uid}` },
  async loadExistingGrant({ oidc }) {
    const given = oidc.result?.consent?.grantId;
    if (given) return provider.Grant.find(given);
    return asking ? undefined : provider.Grant.find(await yes(oidc.client.clientId, oidc.session.accountId));
  },
  features: {
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'bench:call',
        audience: resource,
        accessTokenTTL: lifetime,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});
async function yes(clientId, accountId) {
  const grant = new provider.Grant({ clientId, accountId });
  grant.addResourceScope(resource, 'bench:call');
  return grant.save();
}

provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  ctx.respond = false;
  const { prompt, params, session } = await provider.interactionDetails(ctx.req, ctx.res);
  const result = prompt.name === 'login'
    ? { login: { accountId: randomBytes(8).toString('hex') } }
    : { consent: { grantId: await yes(params.client_id, session.accountId) } };
  await provider.interactionFinished(ctx.req, ctx.res, result);
});
for (const event of ['server_error', 'grant.error', 'authorization.error']) {
  provider.on(event, (ctx, error) => console.error(event, error.message, error.error_detail ?? ''));
}
const server = provider.listen(+port, '127.0.0.1', () => console.log(`ready 127.0.0.1:${port}`));
// Connections rest while the other peer has its round.
server.keepAliveTimeout = 600_000;

// The little OAuth that a test page needs to make an authorize URL that is good in all but what it is about.
import { createHash, randomBytes } from 'node:crypto';

/** The authorization server's metadata. */
export async function metadataOf(issuer) {
  const { pathname, origin } = new URL(issuer);
  const response = await fetch(`${origin}/.well-known/oauth-authorization-server${pathname === '/' ? '' : pathname}`);
  if (!response.ok) throw new Error(`metadata: ${response.status}`);
  return response.json();
}

/** Registers a public client and gives its id (RFC 7591). */
export async function register(metadata, { name, redirectUris, ...more }) {
  const response = await fetch(metadata.registration_endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: name,
      redirect_uris: redirectUris,
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      ...more,
    }),
  });
  const body = await response.json();
  if (!response.ok) throw new Error(`registration: ${response.status} ${JSON.stringify(body)}`);
  return body.client_id;
}

/** An authorize URL, and the verifier that redeems what comes of it. */
export function authorizeUrl(metadata, { clientId, redirectUri, resource, scope, ...more }) {
  const verifier = randomBytes(32).toString('base64url');
  const url = new URL(metadata.authorization_endpoint);
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    resource,
    ...(scope && { scope }),
    state: randomBytes(16).toString('base64url'),
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...more,
  });
  return { url: url.href, verifier };
}

/** Redeems a code; gives the status and body of the answer. */
export async function redeem(metadata, { clientId, redirectUri, resource, verifier, code }) {
  const body = new URLSearchParams({
    grant_type: 'authorization_code',
    client_id: clientId,
    redirect_uri: redirectUri,
    resource,
    code_verifier: verifier,
    code,
  });
  const response = await fetch(metadata.token_endpoint, { method: 'POST', body });
  return { status: response.status, ...(await response.json()) };
}

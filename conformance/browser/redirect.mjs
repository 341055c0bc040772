// One sign-in in Chromium per kind of redirect. usage: node redirect.mjs KIND ISSUER RESOURCE
//   KIND: ipv4 | ipv6 | localhost | https | private-use | popup
// CLIENT_ID names a client that is registered already, with REDIRECT_PORT as its port (https needs one, and TLS_CERT, TLS_KEY).
// Prints one JSON line of what the person and the client saw; the test asserts on it.
import { ChromiumPerson, photograph } from './chromium.mjs';
import { listen } from './callback.mjs';
import { personFromEnvironment } from './identity.mjs';
import { authorizeUrl, metadataOf, redeem, register } from './oauth.mjs';
import { openInPopup, POPUP_CALLBACK } from './popup.mjs';

const [kind, issuer, resource] = process.argv.slice(2);
const CURSOR = 'cursor://anysphere.cursor-mcp/oauth/callback';
const CLIENT_NAME = `A client with a ${kind} redirect`;

const listener = await startListener();
const redirectUri = {
  ipv4: () => `http://127.0.0.1:${listener.port}/callback`,
  ipv6: () => `http://[::1]:${listener.port}/callback`,
  localhost: () => `http://localhost:${listener.port}/callback`,
  popup: () => `http://localhost:${listener.port}/callback`,
  https: () => `https://localhost:${listener.port}/callback`,
  'private-use': () => CURSOR,
}[kind]();

const metadata = await metadataOf(issuer);
const clientId = process.env.CLIENT_ID ?? (await register(metadata, { name: CLIENT_NAME, redirectUris: [redirectUri] }));
const asked = { clientId, redirectUri, resource };
const { url, verifier } = authorizeUrl(metadata, asked);

const person = await ChromiumPerson.launch(personFromEnvironment(), { ignoreHTTPSErrors: true });
try {
  const observed = { kind, redirectUri, clientName: CLIENT_NAME };
  const seen = {
    signIn: async (page) => photograph(page, `${kind}-sign-in`),
    consent: async (page) => {
      observed.consent = await page.locator('body').innerText();
      observed.cookies = (await person.cookies()).map(({ value, expires, ...attributes }) => attributes);
      await photograph(page, `${kind}-consent`);
    },
  };
  let callback;
  if (kind === 'popup') {
    const { message, answered } = await openInPopup(person, url, redirectUri, seen);
    observed.message = message;
    callback = answered;
  } else {
    callback = await person.authorize(url, seen);
  }
  if (listener) observed.arrived = await listener.arrived;
  const query = new URL(callback).searchParams;
  observed.callback = { iss: query.get('iss'), error: query.get('error'), code: query.has('code') };
  const tokens = await redeem(metadata, { ...asked, verifier, code: query.get('code') });
  observed.token = { status: tokens.status, type: tokens.token_type, error: tokens.error };
  if (observed.arrived) observed.arrived.url = new URL(observed.arrived.url, redirectUri).pathname;
  observed.complaints = person.complaints;
  console.log(JSON.stringify(observed));
} finally {
  await person.close();
  listener?.stop();
}

function startListener() {
  if (kind === 'private-use') return undefined;
  const host = { ipv4: '127.0.0.1', ipv6: '::1' }[kind] ?? 'localhost';
  const tls = kind === 'https' && { cert: process.env.TLS_CERT, key: process.env.TLS_KEY };
  const port = Number(process.env.REDIRECT_PORT ?? 0);
  return listen({ host, tls, port, ...(kind === 'popup' && { page: POPUP_CALLBACK }) });
}

// One sign-in in Chromium per kind of redirect. usage: node redirect.mjs KIND ISSUER RESOURCE
//   KIND: ipv4 | ipv6 | localhost | https | private-use | popup, or error: a redirect URI that nobody registered
// CLIENT_ID names a client that is registered already, with REDIRECT_PORT as its port (https needs one, and TLS_CERT, TLS_KEY).
// PAGE names the photographs of the first page (sign-in).
// Prints one JSON line of what the person and the client saw; the test asserts on it.
import { ChromiumPerson, overflow, photograph } from './chromium.mjs';
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
  error: () => CURSOR,
}[kind]();

const metadata = await metadataOf(issuer);
const clientId = process.env.CLIENT_ID ?? (await register(metadata, { name: CLIENT_NAME, redirectUris: [redirectUri] }));
const asked = { clientId, redirectUri, resource };
const wrong = kind === 'error' && { redirectUri: 'https://other.example/callback' };
const { url, verifier } = authorizeUrl(metadata, { ...asked, ...wrong });

const person = await ChromiumPerson.launch(personFromEnvironment(), { ignoreHTTPSErrors: true });
try {
  await clickThrough();
} finally {
  await person.close();
  listener?.stop();
}

async function clickThrough() {
  const observed = { kind, redirectUri, clientName: CLIENT_NAME, overflow: [] };
  const look = async (page, name) => {
    observed.overflow.push(...(await overflow(page, name)));
    await photograph(page, `${kind}-${name}`);
  };
  if (wrong) {
    const page = await person.open(url);
    observed.text = await page.locator('body').innerText();
    observed.links = await page.locator('a').evaluateAll((links) => links.map((link) => link.href));
    await look(page, 'page');
    console.log(JSON.stringify({ ...observed, complaints: person.complaints }));
    return;
  }
  const seen = {
    signIn: (page) => look(page, process.env.PAGE ?? 'sign-in'),
    consent: async (page) => {
      observed.consent = await page.locator('body').innerText();
      observed.cookies = (await person.cookies()).map(({ value, expires, ...attributes }) => attributes);
      await look(page, 'consent');
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
  if (query.has('code')) {
    const tokens = await redeem(metadata, { ...asked, verifier, code: query.get('code') });
    observed.token = { status: tokens.status, type: tokens.token_type, error: tokens.error };
  }
  if (observed.arrived) observed.arrived.url = new URL(observed.arrived.url, redirectUri).pathname;
  observed.complaints = person.complaints;
  console.log(JSON.stringify(observed));
}

function startListener() {
  if (['private-use', 'error'].includes(kind)) return undefined;
  const host = { ipv4: '127.0.0.1', ipv6: '::1' }[kind] ?? 'localhost';
  const tls = kind === 'https' && { cert: process.env.TLS_CERT, key: process.env.TLS_KEY };
  const port = Number(process.env.REDIRECT_PORT ?? 0);
  return listen({ host, tls, port, ...(kind === 'popup' && { page: POPUP_CALLBACK }) });
}

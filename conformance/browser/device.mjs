// A device without a browser, connected in Chromium by a person who types its code (RFC 8628). usage: node device.mjs ISSUER RESOURCE
// Prints one JSON line of what the person saw and the device got; the test asserts on it.
import { ChromiumPerson, overflow, photograph } from './chromium.mjs';
import { personFromEnvironment } from './identity.mjs';
import { metadataOf, register } from './oauth.mjs';

const [issuer, resource] = process.argv.slice(2);
const GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
const CLIENT_NAME = 'A terminal without a browser';

const metadata = await metadataOf(issuer);
const clientId = await register(metadata, { name: CLIENT_NAME, redirectUris: ['http://127.0.0.1/callback'], grant_types: ['authorization_code', GRANT, 'refresh_token'] });
const post = async (endpoint, fields) => {
  const response = await fetch(endpoint, { method: 'POST', body: new URLSearchParams({ client_id: clientId, ...fields }) });
  return { status: response.status, ...(await response.json()) };
};
const asked = await post(metadata.device_authorization_endpoint, { resource });
const show = () => post(metadata.token_endpoint, { grant_type: GRANT, device_code: asked.device_code });

const person = await ChromiumPerson.launch(personFromEnvironment());
const seen = { clientName: CLIENT_NAME, userCode: asked.user_code, overflow: [] };
const look = async (page, name) => {
  seen.overflow.push(...(await overflow(page, name)));
  await photograph(page, `device-${name}`);
  return page.locator('body').innerText();
};
const press = async (page, button) => {
  const loaded = page.waitForEvent('load');
  await page.locator(button).click();
  await loaded;
};
try {
  seen.before = (await show()).error;
  const page = await person.open(asked.verification_uri);
  await look(page, 'sign-in');
  await page.locator('input[name=username]').fill(person.person.username);
  await page.locator('input[name=password]').fill(person.person.password);
  await press(page, 'form:has(input[name=password]) button');
  const code = page.locator('input[name=user_code]');
  await code.fill('BBBB-BBBB');
  await press(page, 'form:has(input[name=user_code]) button');
  seen.wrong = await look(page, 'wrong-code');
  // As people type: small letters, no hyphen.
  await code.fill(asked.user_code.toLowerCase().replace('-', ''));
  await press(page, 'form:has(input[name=user_code]) button');
  seen.consent = await look(page, 'consent');
  await press(page, 'button[name=decision][value=allow]');
  seen.connected = await look(page, 'connected');
  const { status, access_token: access, scope } = await show();
  seen.token = { status, scope, jwt: access?.split('.').length === 3 };
  seen.again = (await show()).error;
  console.log(JSON.stringify({ ...seen, complaints: person.complaints }));
} finally {
  await person.close();
}

// A consent page that is wrong on purpose, to prove that the browser tests would notice.
// usage: node twin.mjs FORM_ACTION REDIRECT [COOP]
//   FORM_ACTION  the CSP directive's sources; LISTENER stands for the origin of the client's listener
//   REDIRECT     loopback (the listener), ipv6 (the same at [::1]), or any URI
//   COOP         a Cross-Origin-Opener-Policy for the page, which is then opened in a popup
// Prints one JSON line: what the browser complained of, whether the client was reached, what a popup's opener heard.
import http from 'node:http';
import { listen } from './callback.mjs';
import { ChromiumPerson } from './chromium.mjs';
import { openInPopup, POPUP_CALLBACK } from './popup.mjs';

const [formAction, redirect, coop] = process.argv.slice(2);
const listener = await listen({ host: redirect === 'ipv6' ? '::1' : '127.0.0.1', page: POPUP_CALLBACK });
const origin = `http://${redirect === 'ipv6' ? '[::1]' : '127.0.0.1'}:${listener.port}`;
const redirectUri = ['loopback', 'ipv6'].includes(redirect) ? `${origin}/callback` : redirect;
let arrived = false;
listener.arrived.then(() => (arrived = true));

const page = http.createServer((request, response) => {
  if (request.method === 'POST') return response.writeHead(302, { location: `${redirectUri}?code=1` }).end();
  if (request.url === '/favicon.ico') return response.writeHead(204).end();
  response.writeHead(200, {
    'content-type': 'text/html',
    'content-security-policy': `default-src 'none'; form-action ${formAction.replace('LISTENER', origin)}`,
    ...(coop && { 'cross-origin-opener-policy': coop }),
  });
  response.end('<!doctype html><title>Twin</title><form method="post"><button name="decision" value="allow">Allow</button></form>');
});
await new Promise((resolve) => page.listen(0, 'localhost', resolve));
const url = `http://localhost:${page.address().port}/`;

const person = await ChromiumPerson.launch({ decision: 'allow' });
try {
  const observed = {};
  if (coop !== undefined) {
    observed.message = (await openInPopup(person, url, redirectUri, {})).message;
  } else {
    const opened = await person.open(url);
    const blocked = new Promise((resolve) => (person.onComplaint = resolve));
    await Promise.race([person.answer(opened, redirectUri), blocked]).then(() => Promise.race([listener.arrived, blocked, idle(opened)]));
  }
  console.log(JSON.stringify({ ...observed, arrived, complaints: person.complaints }));
} finally {
  await person.close();
  listener.stop();
  page.closeAllConnections();
  page.close();
}

/** Two rounds of the page's own event loop: a complaint would have been made by then. */
async function idle(opened) {
  const round = () => opened.evaluate(() => new Promise((resolve) => setTimeout(resolve, 100)));
  await round().then(round).catch(() => {}); // a navigation ends it, too
}

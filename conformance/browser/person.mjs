// usage: node person.mjs AUTHORIZE_URL [--deliver]
// Signs in, decides and prints the URL the browser was sent to; `--deliver` also opens it, as a browser would.
// KEYSTILE_PERSON_{NAME,PASSWORD,SETUP_CODE,DECISION} say who; KEYSTILE_PERSON_ENGINE=chromium does it in Chromium;
// KEYSTILE_PERSON_LOG gets one JSON line per visit.
import { appendFileSync } from 'node:fs';
import { personFromEnvironment } from './identity.mjs';

const [url, ...flags] = process.argv.slice(2);
const note = (event, detail) => {
  if (process.env.KEYSTILE_PERSON_LOG) appendFileSync(process.env.KEYSTILE_PERSON_LOG, `${JSON.stringify({ event, ...detail })}\n`);
};

note('authorize_url', { url });
try {
  const callback = await visit(url, { deliver: flags.includes('--deliver') });
  note('callback', { url: callback });
  console.log(callback);
} catch (error) {
  note('person_failed', { message: error.message });
  console.error(error.message);
  process.exitCode = 1;
}

async function visit(url, options) {
  const person = personFromEnvironment();
  if (process.env.KEYSTILE_PERSON_ENGINE !== 'chromium') {
    const { HttpPerson } = await import('./http.mjs');
    return new HttpPerson(person).authorize(url, options);
  }
  const { ChromiumPerson } = await import('./chromium.mjs');
  const browser = await ChromiumPerson.launch(person);
  try {
    return await browser.authorize(url);
  } finally {
    await browser.close();
  }
}

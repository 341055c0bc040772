// A page of somebody else tries to register a client: what any site that a person visits could try (CHECKLIST A-066).
// usage: node drive-by.mjs REGISTRATION_ENDPOINT… with PORT, the port that the page is served on.
// Prints one JSON line: {"tries":[{"endpoint","how","status","readable"}]}, where status is what the network answered and readable
// whether the page could read it.
import http from 'node:http';
import { ChromiumPerson } from './chromium.mjs';

const endpoints = process.argv.slice(2);
const METADATA = JSON.stringify({ redirect_uris: ['http://127.0.0.1/drive-by'], token_endpoint_auth_method: 'none' });
const page = '<!doctype html><title>Another site</title><p>Nothing to see.';
const site = http.createServer((_, response) => response.setHeader('content-type', 'text/html').end(page));
await new Promise((resolve) => site.listen(Number(process.env.PORT), '127.0.0.1', resolve));

/** Runs in the page. */
const attempt = async ({ endpoint, how, metadata }) => {
  if (how === 'form') {
    // A form of plain text whose one field reads as JSON.
    const [name, value] = [metadata.slice(0, -1) + ',"client_name":"', '"}'];
    const form = Object.assign(document.createElement('form'), { method: 'post', action: endpoint, enctype: 'text/plain', target: endpoint });
    const frame = Object.assign(document.createElement('iframe'), { name: endpoint });
    form.append(Object.assign(document.createElement('input'), { type: 'hidden', name, value }));
    document.body.append(frame, form);
    const loaded = new Promise((resolve) => frame.addEventListener('load', resolve));
    form.submit();
    await loaded;
    return false;
  }
  const headers = { 'content-type': how === 'json' ? 'application/json' : 'text/plain' };
  const mode = how === 'no-cors' ? 'no-cors' : 'cors';
  const answer = await fetch(endpoint, { method: 'POST', body: metadata, mode, headers }).catch(() => null);
  return answer !== null && answer.type !== 'opaque';
};

const person = await ChromiumPerson.launch({});
try {
  const opened = await person.open(`http://127.0.0.1:${site.address().port}/`);
  const tries = [];
  for (const endpoint of endpoints) {
    for (const how of ['json', 'text', 'no-cors', 'form']) {
      const statuses = [];
      const note = (response) => response.request().method() === 'POST' && statuses.push(response.status());
      opened.on('response', note);
      const readable = await opened.evaluate(attempt, { endpoint, how, metadata: METADATA });
      opened.off('response', note);
      tries.push({ endpoint, how, status: statuses[0] ?? null, readable });
    }
  }
  console.log(JSON.stringify({ tries }));
} finally {
  await person.close();
  site.closeAllConnections();
  site.close();
}

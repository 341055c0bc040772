// The client's side of a redirect: a listener that answers like an application and remembers what reached it.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';

/** Listens on loopback; `arrived` resolves to `{ url, cookie, referer }` of the callback. `page` is what it answers with. */
export async function listen({ host, port = 0, tls, page = '<!doctype html><title>Done</title>You may close this tab.' }) {
  let arrive;
  const arrived = new Promise((resolve) => (arrive = resolve));
  const handle = (request, response) => {
    response.setHeader('content-type', 'text/html');
    if (new URL(request.url, 'http://x').pathname !== '/callback') return response.writeHead(204).end();
    response.end(page);
    const { cookie, referer } = request.headers;
    arrive({ url: request.url, cookie, referer });
  };
  const server = tls ? https.createServer({ cert: readFileSync(tls.cert), key: readFileSync(tls.key) }, handle) : http.createServer(handle);
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  return {
    port: server.address().port,
    arrived,
    stop: () => (server.closeAllConnections(), server.close()),
  };
}

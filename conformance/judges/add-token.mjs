// A proxy for judges that can't log in: adds `Authorization: Bearer …` to every request and streams both ways.
// What names the proxy (Host, Origin) names the target afterwards, as behind any reverse proxy; other names stay as they are.
import http from 'node:http';
import { pipeline } from 'node:stream';

/** Listens on loopback in front of `target`, a URL; gives its own URL of the same path, and `close`. */
export async function addToken(target, token) {
  const { host, hostname, port, pathname } = new URL(target);
  let own;
  const translated = (name, value) => {
    const lower = name.toLowerCase();
    if (lower === 'host' && value === own) return host;
    if (lower === 'origin' && value === `http://${own}`) return `http://${host}`;
    return value;
  };
  const server = http.createServer((request, response) => {
    const headers = ['Authorization', `Bearer ${token}`];
    const { rawHeaders } = request;
    for (let i = 0; i < rawHeaders.length; i += 2) headers.push(rawHeaders[i], translated(rawHeaders[i], rawHeaders[i + 1]));
    const { method, url: path } = request;
    const forwarded = http.request({ hostname, port, method, path, headers, agent: false });
    forwarded.on('response', (answer) => {
      response.writeHead(answer.statusCode, answer.statusMessage, answer.rawHeaders);
      response.flushHeaders();
      // Whoever ends early ends the other side too; that is no error of the proxy.
      pipeline(answer, response, () => {});
    });
    forwarded.on('error', () => response.destroy());
    response.on('close', () => forwarded.destroy());
    pipeline(request, forwarded, () => {});
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  own = `localhost:${server.address().port}`;
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://${own}${pathname}`, close };
}

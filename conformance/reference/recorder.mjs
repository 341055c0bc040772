// A reverse proxy that writes down every request: what goes over the wire is what the client sends, byte for byte.
import http from 'node:http';

const SECRETS = ['code', 'code_verifier', 'code_challenge', 'state', 'refresh_token', 'client_secret', 'access_token', 'token'];
const HOP = new Set(['content-length', 'connection', 'keep-alive', 'transfer-encoding']);

/** Starts it on loopback; `requests` fills up with `{ method, path, query, headers, body, status }`. */
export async function startRecorder(host = '127.0.0.1') {
  const recorder = { requests: [], target: undefined };
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const headers = request.rawHeaders.filter((_, i) => !HOP.has(request.rawHeaders[i - (i % 2)].toLowerCase()));
      const entry = describe(request, headers, body.toString());
      recorder.requests.push(entry);
      const onward = http.request(
        { ...recorder.target, method: request.method, path: request.url, headers: [...headers, 'content-length', String(body.length)], agent: false },
        (answer) => {
          entry.status = answer.statusCode;
          response.writeHead(answer.statusCode, answer.rawHeaders);
          answer.pipe(response);
        },
      );
      onward.on('error', () => response.destroy());
      response.on('close', () => onward.destroy());
      onward.end(body);
    });
  });
  // Always the same port: a new recording differs only where the client does.
  await new Promise((resolve) => server.listen(17717, host, resolve));
  recorder.port = server.address().port;
  recorder.origin = `http://localhost:${recorder.port}`;
  recorder.stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return recorder;
}

function describe(request, rawHeaders, body) {
  const url = new URL(request.url, 'http://recorder');
  const headers = {};
  for (let i = 0; i < rawHeaders.length; i += 2) headers[rawHeaders[i].toLowerCase()] = redactHeader(rawHeaders[i], rawHeaders[i + 1]);
  return {
    method: request.method,
    path: url.pathname,
    ...(url.search && { query: redact(url.searchParams) }),
    headers,
    ...(body && { body: parse(request.headers['content-type'] ?? '', body) }),
  };
}

function parse(type, body) {
  if (type.startsWith('application/x-www-form-urlencoded')) return redact(new URLSearchParams(body));
  return JSON.parse(body);
}

function redact(pairs) {
  return Object.fromEntries([...pairs].map(([name, value]) => [name, SECRETS.includes(name) ? `<${name}>` : opaque(name, value)]));
}

/** A registered id is the server's own; a metadata document's URL is the client's and worth keeping. */
function opaque(name, value) {
  return name === 'client_id' && !value.startsWith('https:') ? '<client_id>' : value;
}

function redactHeader(name, value) {
  if (/^authorization$/i.test(name)) return value.replace(/ .*/, ' <access_token>');
  if (/^(mcp-session-id|cookie)$/i.test(name)) return `<${name.toLowerCase()}>`;
  return value;
}

// A server on Node's own HTTP parser: each answer lists every request that was read so far. Prints its port.
import { createServer } from 'node:http';

const seen = [];

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks).toString('latin1');
    seen.push({ method: request.method, target: request.url, body });
    const answer = JSON.stringify({ jsonrpc: '2.0', id: 7, result: { seen } });
    response.writeHead(200, { 'content-type': 'application/json' }).end(answer);
  });
});
server.on('clientError', (error, socket) => {
  seen.push({ method: 'unreadable', target: error.code, body: '' });
  socket.destroy();
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit()).resume();

// An open MCP server on the TypeScript SDK 1.x that speaks HTTP+SSE of 2024-11-05 only.
// usage: [PORT=0] node sse.mjs    prints {"url":…} when it listens
import http from 'node:http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import * as z from 'zod';

const streams = new Map();

async function begin(response) {
  const server = new McpServer({ name: 'sse', version: '1.0.0' });
  const fields = { a: z.number(), b: z.number() };
  server.registerTool('add', { description: 'Adds two numbers', inputSchema: fields }, async ({ a, b }) => ({
    content: [{ type: 'text', text: String(a + b) }],
  }));
  const transport = new SSEServerTransport('/messages', response);
  streams.set(transport.sessionId, transport);
  response.on('close', () => streams.delete(transport.sessionId));
  await server.connect(transport);
}

const server = http.createServer(async (request, response) => {
  const url = new URL(request.url, `http://${request.headers.host}`);
  const transport = streams.get(url.searchParams.get('sessionId'));
  if (request.method === 'GET' && url.pathname === '/sse') await begin(response);
  else if (request.method === 'POST' && url.pathname === '/messages' && transport) await transport.handlePostMessage(request, response);
  else response.writeHead(404).end();
});
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}/sse` }));
});

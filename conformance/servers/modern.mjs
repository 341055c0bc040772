// An open MCP server on the TypeScript server package: speaks 2026-07-28, and with LEGACY=stateless the 2025 revisions too.
// usage: [PORT=0] [LEGACY=reject|stateless] node modern.mjs    prints {"url":…} when it listens
import http from 'node:http';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import * as z from 'zod';

/** A fetch-style handler of one MCP endpoint with a few tools. `legacy`: `reject` or `stateless`. */
export function mcpHandler(legacy) {
  return createMcpHandler(
    (context) => {
      const server = new McpServer({ name: 'modern', version: '1.0.0' });
      const text = (value) => ({ content: [{ type: 'text', text: String(value) }] });
      const tool = (name, description, fields, run) =>
        server.registerTool(name, { description, inputSchema: z.object(fields), annotations: { readOnlyHint: true } }, run);
      tool('add', 'Adds two numbers', { a: z.number(), b: z.number() }, async ({ a, b }) => text(a + b));
      tool('headers', 'The request headers this server saw', {}, async () =>
        text(JSON.stringify(Object.fromEntries(context?.request?.headers ?? []))),
      );
      server.registerResource('hello', 'test://hello', { mimeType: 'text/plain' }, async (uri) => ({
        contents: [{ uri: uri.href, mimeType: 'text/plain', text: 'hello' }],
      }));
      server.registerPrompt('ask', { description: 'Asks about a topic', argsSchema: z.object({ topic: z.string() }) }, ({ topic }) => ({
        messages: [{ role: 'user', content: { type: 'text', text: `Tell me about ${topic}` } }],
      }));
      return server;
    },
    { legacy, onerror: (error) => console.error(error.message) },
  );
}

/** Answers a node request through a fetch-style handler, streaming. */
export async function answer(handler, request, response, url) {
  const headers = new Headers();
  for (let i = 0; i < request.rawHeaders.length; i += 2) headers.append(request.rawHeaders[i], request.rawHeaders[i + 1]);
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const body = ['GET', 'HEAD', 'DELETE'].includes(request.method) ? undefined : Readable.toWeb(request);
  const answered = await handler.fetch(new Request(url, { method: request.method, headers, body, duplex: 'half', signal: gone.signal }));
  response.writeHead(answered.status, Object.fromEntries(answered.headers));
  if (answered.body) Readable.fromWeb(answered.body).on('error', () => {}).pipe(response);
  else response.end();
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const handler = mcpHandler(process.env.LEGACY ?? 'reject');
  const server = http.createServer((request, response) => {
    const url = new URL(request.url, `http://${request.headers.host}`);
    if (url.pathname === '/mcp') return answer(handler, request, response, url);
    response.writeHead(404).end();
  });
  server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
    console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}/mcp` }));
  });
}

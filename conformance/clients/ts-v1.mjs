// @modelcontextprotocol/sdk 1.x: speaks the 2025 revisions; with MODE=sse over HTTP+SSE, the transport of 2024-11-05.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { play, reportingFetch, task } from './script.mjs';
import { TypeScriptClient } from './typescript-client.mjs';
import { ScriptedProvider } from './typescript-provider.mjs';

const provider = new ScriptedProvider({
  name: 'TypeScript SDK 1',
  redirectUri: 'http://127.0.0.1:18765/callback',
  clientMetadataUrl: process.env.CLIENT_METADATA_URL,
});

const options = { authProvider: provider, fetch: reportingFetch };
const connect = () =>
  process.env.MODE === 'sse'
    ? new SSEClientTransport(new URL(`${task.url}/sse`), options)
    : new StreamableHTTPClientTransport(new URL(task.url), options);

await play(
  new TypeScriptClient(
    {
      create: () => ({
        client: new Client({ name: 'conformance-ts-v1', version: '1.0.0' }),
        transport: connect(),
      }),
      finishAuth: (transport, callback) => transport.finishAuth(callback.searchParams.get('code')),
      isUnauthorized: (error) => error instanceof UnauthorizedError,
      protocolOf: (_client, transport) => transport.protocolVersion ?? transport._protocolVersion,
    },
    provider,
  ),
);

// @modelcontextprotocol/sdk 1.x: speaks the 2025 revisions.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { play, reportingFetch, task } from './script.mjs';
import { TypeScriptClient } from './typescript-client.mjs';
import { ScriptedProvider } from './typescript-provider.mjs';

const provider = new ScriptedProvider({
  name: 'TypeScript SDK 1',
  redirectUri: 'http://127.0.0.1:18765/callback',
  clientMetadataUrl: process.env.CLIENT_METADATA_URL,
});

await play(
  new TypeScriptClient(
    {
      create: () => ({
        client: new Client({ name: 'conformance-ts-v1', version: '1.0.0' }),
        transport: new StreamableHTTPClientTransport(new URL(task.url), { authProvider: provider, fetch: reportingFetch }),
      }),
      finishAuth: (transport, callback) => transport.finishAuth(callback.searchParams.get('code')),
      isUnauthorized: (error) => error instanceof UnauthorizedError,
      protocolOf: (_client, transport) => transport.protocolVersion,
    },
    provider,
  ),
);

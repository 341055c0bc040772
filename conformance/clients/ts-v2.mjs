// @modelcontextprotocol/client 2.x. MODE=legacy (2025 handshake), auto (asks, falls back; the default) or 2026-07-28 (only that).
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import { play, reportingFetch, task } from './script.mjs';
import { TypeScriptClient } from './typescript-client.mjs';
import { ScriptedProvider } from './typescript-provider.mjs';

const mode = process.env.MODE ?? 'auto';
const versionNegotiation = { mode: ['legacy', 'auto'].includes(mode) ? mode : { pin: mode } };
const provider = new ScriptedProvider({
  name: 'TypeScript client 2',
  redirectUri: 'http://localhost:18766/callback',
  clientMetadataUrl: process.env.CLIENT_METADATA_URL,
});

await play(
  new TypeScriptClient(
    {
      create: () => ({
        client: new Client({ name: 'conformance-ts-v2', version: '1.0.0' }, { versionNegotiation }),
        transport: new StreamableHTTPClientTransport(new URL(task.url), { authProvider: provider, fetch: reportingFetch }),
      }),
      // Given the whole query it checks `iss` (RFC 9207).
      finishAuth: (transport, callback) => transport.finishAuth(callback.searchParams),
      isUnauthorized: (error) => causes(error).some((e) => e instanceof UnauthorizedError),
      protocolOf: (client) => client.getNegotiatedProtocolVersion(),
    },
    provider,
  ),
);

function causes(error) {
  return error ? [error, ...causes(error.cause), ...causes(error.data?.cause)] : [];
}

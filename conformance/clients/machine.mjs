// A program without a person: the TypeScript client 2 with client_credentials, by a secret or by its own key (SEP-1046).
// usage: node machine.mjs URL, as the official client suite starts it, with MCP_CONFORMANCE_CONTEXT =
// {"client_id", "client_secret" | "private_key_pem" and "signing_algorithm"}.
// KEYSTILE_CONTEXT (optional): a file that gets the context and, of a key, the public half, so that the same client can be
// registered elsewhere. Prints one JSON line, {"event":"tools","names"}.
import { createPublicKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { Client, ClientCredentialsProvider, PrivateKeyJwtProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { say } from './script.mjs';

const url = process.argv.at(-1);
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT);
const { client_id: clientId, client_secret: clientSecret, private_key_pem: privateKey, signing_algorithm: algorithm } = context;

if (process.env.KEYSTILE_CONTEXT) {
  const key = privateKey && { ...createPublicKey(privateKey).export({ format: 'jwk' }), alg: algorithm, use: 'sig' };
  writeFileSync(process.env.KEYSTILE_CONTEXT, JSON.stringify({ context, jwks: key && { keys: [key] } }), { mode: 0o600 });
}
const authProvider = privateKey
  ? new PrivateKeyJwtProvider({ clientId, privateKey, algorithm })
  : new ClientCredentialsProvider({ clientId, clientSecret });
const client = new Client({ name: 'conformance-machine', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } });
await client.connect(new StreamableHTTPClientTransport(new URL(url), { authProvider }));
const { tools } = await client.listTools();
say('tools', { names: tools.map((tool) => tool.name) });
await client.close();

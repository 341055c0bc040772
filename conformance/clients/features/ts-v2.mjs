// @modelcontextprotocol/client 2.x, which speaks 2026-07-28 and nothing else here, over Streamable HTTP or stdio.
import { Client, LOG_LEVEL_META_KEY, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Instead, answers } from './all.mjs';

const told = ['message', 'prompts/list_changed', 'resources/list_changed', 'resources/updated', 'tools/list_changed'];

export const http = (url, options) => new StreamableHTTPClientTransport(url, options);
export const stdio = (options) => new StdioClientTransport(options);

export async function connect(transport, inbox) {
  const capabilities = { sampling: {}, roots: {}, elicitation: { form: {}, url: {} } };
  const versionNegotiation = { mode: { pin: '2026-07-28' } };
  const client = new Client({ name: 'features-ts-v2', version: '1.0.0' }, { capabilities, versionNegotiation });
  client.setRequestHandler('sampling/createMessage', async () => answers['sampling/createMessage']);
  client.setRequestHandler('roots/list', async () => answers['roots/list']);
  client.setRequestHandler('elicitation/create', async ({ params }) => answers[params.mode ?? 'form']);
  for (const name of told) {
    const method = `notifications/${name}`;
    client.setNotificationHandler(method, ({ params }) => inbox.put(method, params ?? {}));
  }
  await client.connect(transport);
  return client;
}

// The level stands in each request since 2026-07-28.
let level;
export const logFrom = async (_, from) => void (level = from);
export const callTool = (client, params, options) =>
  client.callTool(level ? { ...params, _meta: { [LOG_LEVEL_META_KEY]: level } } : params, options);
export const watchLists = (client) => client.listen({ toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true });
export const watch = (client, uri) => client.listen({ resourceSubscriptions: [uri] });
// It has no tasks.
export const task = async () => {
  throw new Instead('absent');
};

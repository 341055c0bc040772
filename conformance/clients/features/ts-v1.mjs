// @modelcontextprotocol/sdk 1.x: 2025-11-25, over Streamable HTTP, HTTP+SSE or stdio.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  CallToolResultSchema,
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  PromptListChangedNotificationSchema,
  ResourceListChangedNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { answers } from './all.mjs';

const told = [
  LoggingMessageNotificationSchema,
  PromptListChangedNotificationSchema,
  ResourceListChangedNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
];

export const http = (url, options) => new StreamableHTTPClientTransport(url, options);
export const sse = (url, options) => new SSEClientTransport(url, options);
export const stdio = (options) => new StdioClientTransport(options);

export async function connect(transport, inbox) {
  const capabilities = { sampling: {}, roots: {}, elicitation: { form: {}, url: {} } };
  const client = new Client({ name: 'features-ts-v1', version: '1.0.0' }, { capabilities });
  client.setRequestHandler(CreateMessageRequestSchema, async () => answers['sampling/createMessage']);
  client.setRequestHandler(ListRootsRequestSchema, async () => answers['roots/list']);
  client.setRequestHandler(ElicitRequestSchema, async ({ params }) => answers[params.mode ?? 'form']);
  for (const schema of told) {
    client.setNotificationHandler(schema, ({ method, params }) => inbox.put(method, params ?? {}));
  }
  await client.connect(transport);
  return client;
}

export const callTool = (client, params, options) => client.callTool(params, CallToolResultSchema, options);
export const ping = (client) => client.ping();
export const logFrom = (client, level) => client.setLoggingLevel(level);
export const watchLists = async () => {};
export const watch = (client, uri) => client.subscribeResource({ uri });

export async function task(client, params) {
  const { tasks } = client.experimental;
  if (!client.getServerCapabilities().tasks?.requests?.tools?.call) return tasks.getTask('any');
  for await (const message of tasks.callToolStream(params, CallToolResultSchema, { task: { ttl: 60_000 } })) {
    if (message.type === 'error') throw message.error;
    if (message.type === 'result') return message.result.content[0].text;
  }
}

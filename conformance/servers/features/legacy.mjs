// Every feature of 2025-11-25, on the TypeScript SDK 1.x. usage: node legacy.mjs stdio|http|sse    prints {"url":…} unless stdio
import { randomUUID } from 'node:crypto';
import { InMemoryTaskMessageQueue, InMemoryTaskStore } from '@modelcontextprotocol/sdk/experimental/tasks/stores/in-memory.js';
import { completable } from '@modelcontextprotocol/sdk/server/completable.js';
import { McpServer, ResourceTemplate } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { EmptyResultSchema, SubscribeRequestSchema, UnsubscribeRequestSchema, UrlElicitationRequiredError } from '@modelcontextprotocol/sdk/types.js';
import * as z from 'zod';
import { ASKING, COUNTER, GREETING, GROWN, NAME, REMARK, STEPS, VISIT, Words, completed, listen, prompt, read, text } from './world.mjs';

const words = new Words();

/** One session. */
function session() {
  const server = new McpServer(
    { name: 'features', version: '1.0.0' },
    {
      capabilities: { logging: {}, resources: { subscribe: true }, tasks: { requests: { tools: { call: {} } } } },
      taskStore: new InMemoryTaskStore(),
      taskMessageQueue: new InMemoryTaskMessageQueue(),
    },
  );
  const tool = (name, inputSchema, run) => server.registerTool(name, { description: name, inputSchema }, run);
  const word = { word: z.string() };

  tool('add', { a: z.number(), b: z.number() }, async ({ a, b }) => text(a + b));
  tool('say', word, async ({ word }) => text(words.say(word)));
  tool('hear', word, async ({ word }) => text(await words.hear(word)));
  // Stays until its caller has seen the last step: what comes together with an answer the SDKs may drop.
  tool('climb', word, async ({ word }, extra) => {
    for (const progress of STEPS) await report(extra, { progress, total: STEPS.length });
    return text(await words.hear(word));
  });
  // Goes on until it is cancelled, and says so.
  tool('wait', word, async ({ word }, extra) => {
    extra.signal.addEventListener('abort', () => words.say(word), { once: true });
    await report(extra, { progress: 1 });
    return text(await words.hear(word));
  });
  tool('log', {}, async (_, extra) => {
    await extra.sendNotification({ method: 'notifications/message', params: { level: 'info', data: 'logged' } });
    return text('logged');
  });
  tool('sample', {}, async (_, extra) => {
    const messages = [{ role: 'user', content: { type: 'text', text: 'Who are you?' } }];
    const { content } = await server.server.createMessage({ messages, maxTokens: 10 }, asked(extra));
    return text(content.text);
  });
  tool('roots', {}, async (_, extra) => {
    const { roots } = await server.server.listRoots({}, asked(extra));
    return text(roots[0].uri);
  });
  const name = async (extra) => (await server.server.elicitInput(NAME, asked(extra))).content.name;
  tool('ask', {}, async (_, extra) => text(await name(extra)));
  server.registerPrompt('ask', {}, async (extra) => prompt(await name(extra)));
  server.registerResource('asking', ASKING, {}, async (uri, extra) => read(uri, await name(extra)));
  const visit = () => ({ mode: 'url', elicitationId: randomUUID(), ...VISIT });
  tool('visit', {}, async (_, extra) => text((await server.server.elicitInput(visit(), asked(extra))).action));
  let sent = false;
  tool('pay', {}, async () => {
    if (sent) return text('paid');
    sent = true;
    throw new UrlElicitationRequiredError([visit()]);
  });
  tool('ping', {}, async (_, extra) => {
    await extra.sendRequest({ method: 'ping' }, EmptyResultSchema);
    return text('pong');
  });
  tool('grow', {}, async () => {
    tool('grown', {}, async () => text('grown'));
    server.registerPrompt('grown', {}, () => prompt('grown'));
    server.registerResource('grown', GROWN, {}, (uri) => read(uri, 'grown'));
    return text('growing');
  });

  let count = 0;
  const subscribed = new Set();
  server.server.setRequestHandler(SubscribeRequestSchema, async ({ params: { uri } }) => {
    subscribed.add(uri);
    if (uri === REMARK) {
      await server.sendLoggingMessage({ level: 'info', data: 'remarked' });
      await server.server.sendResourceUpdated({ uri: COUNTER });
    }
    return {};
  });
  server.server.setRequestHandler(UnsubscribeRequestSchema, async ({ params: { uri } }) => {
    subscribed.delete(uri);
    return {};
  });
  tool('count', {}, async () => {
    count += 1;
    if (subscribed.has(COUNTER)) await server.server.sendResourceUpdated({ uri: COUNTER });
    return text(count);
  });
  server.registerResource('counter', COUNTER, { mimeType: 'text/plain' }, async (uri) => read(uri, count));
  // Whoever subscribes to it is told something that belongs to no request, and then of the counter.
  server.registerResource('remark', REMARK, { mimeType: 'text/plain' }, async (uri) => read(uri, 'remark'));
  server.registerResource(
    'greeting',
    new ResourceTemplate(GREETING, { list: undefined, complete: { name: completed } }),
    { mimeType: 'text/plain' },
    async (uri, { name }) => read(uri, `Hello, ${name}`),
  );
  server.registerPrompt('greet', { description: 'greet', argsSchema: { name: completable(z.string(), completed) } }, ({ name }) =>
    prompt(`Greet ${name}`),
  );

  const task = ({ taskId, taskStore }) => taskStore.getTask(taskId);
  server.experimental.tasks.registerToolTask(
    'job',
    { description: 'job', inputSchema: {}, execution: { taskSupport: 'required' } },
    {
      createTask: async (_, { taskStore }) => {
        const task = await taskStore.createTask({ ttl: 60_000, pollInterval: 50 });
        await taskStore.storeTaskResult(task.taskId, 'completed', text('done'));
        return { task };
      },
      getTask: async (_, extra) => task(extra),
      getTaskResult: async (_, { taskId, taskStore }) => taskStore.getTaskResult(taskId),
    },
  );
  return server;
}

/** What the server asks in the middle of a call travels with that call. */
const asked = (extra) => ({ relatedRequestId: extra.requestId });

async function report(extra, params) {
  const progressToken = extra._meta?.progressToken;
  if (progressToken === undefined) return;
  await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, ...params } });
}

const carriers = {
  async stdio() {
    process.stdin.on('end', () => process.exit(0));
    await session().connect(new StdioServerTransport());
  },
  http() {
    const sessions = new Map();
    listen('/mcp', async (request, response) => {
      const id = request.headers['mcp-session-id'];
      let transport = sessions.get(id);
      if (id && !transport) return response.writeHead(404).end();
      if (!transport) {
        transport = new StreamableHTTPServerTransport({
          sessionIdGenerator: randomUUID,
          onsessioninitialized: (id) => void sessions.set(id, transport),
          onsessionclosed: (id) => void sessions.delete(id),
        });
        await session().connect(transport);
      }
      return transport.handleRequest(request, response);
    });
  },
  sse() {
    const streams = new Map();
    listen('/sse', async (request, response, url) => {
      const stream = streams.get(url.searchParams.get('sessionId'));
      if (request.method === 'POST' && stream) return stream.handlePostMessage(request, response);
      if (request.method !== 'GET' || url.pathname !== '/sse') return response.writeHead(404).end();
      const transport = new SSEServerTransport('/messages', response);
      streams.set(transport.sessionId, transport);
      response.on('close', () => streams.delete(transport.sessionId));
      await session().connect(transport);
    });
  },
};
await carriers[process.argv[2]]();

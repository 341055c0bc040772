// Every feature of 2026-07-28, on the TypeScript server package 2.x. usage: node stateless.mjs stdio|http    prints {"url":…} unless stdio
import { McpServer, ResourceTemplate, completable, createMcpHandler, inputRequired } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import * as z from 'zod';
import { answer } from '../modern.mjs';
import { ASKING, COUNTER, GREETING, GROWN, NAME, STEPS, VISIT, Words, completed, listen, prompt, read, text } from './world.mjs';

// Over HTTP each request has a server object of its own: what lasts stands outside of it.
const words = new Words();
let count = 0;
let grown = false;

/** `changed` tells the subscriptions: `lists(grow)`, `counter(server)`. */
function factory(changed) {
  return () => {
    const lists = { listChanged: true };
    const capabilities = { tools: lists, prompts: lists, resources: { subscribe: true, ...lists }, logging: {} };
    const server = new McpServer({ name: 'features', version: '1.0.0' }, { capabilities });
    const tool = (name, fields, run) => server.registerTool(name, { description: name, inputSchema: z.object(fields) }, run);
    const word = { word: z.string() };
    tool('add', { a: z.number(), b: z.number() }, async ({ a, b }) => text(a + b));
    tool('say', word, async ({ word }) => text(words.say(word)));
    tool('hear', word, async ({ word }) => text(await words.hear(word)));
    // Stays until its caller has seen the last step: what comes together with an answer the SDKs may drop.
    tool('climb', word, async ({ word }, { mcpReq }) => {
      for (const progress of STEPS) await report(mcpReq, { progress, total: STEPS.length });
      return text(await words.hear(word));
    });
    // Goes on until it is cancelled, and says so.
    tool('wait', word, async ({ word }, { mcpReq }) => {
      mcpReq.signal.addEventListener('abort', () => words.say(word), { once: true });
      await report(mcpReq, { progress: 1 });
      return text(await words.hear(word));
    });
    tool('log', {}, async (_, { mcpReq }) => {
      await mcpReq.log('info', 'logged');
      return text('logged');
    });
    /** Gives what `say` makes of the answer, and asks while there is none. */
    const asking = ({ mcpReq }, request, say) => {
      const response = mcpReq.inputResponses?.asked;
      return response ? say(response) : inputRequired({ inputRequests: { asked: request } });
    };
    const messages = [{ role: 'user', content: { type: 'text', text: 'Who are you?' } }];
    const sample = inputRequired.createMessage({ messages, maxTokens: 10 });
    tool('sample', {}, async (_, context) => asking(context, sample, ({ content }) => text(content.text)));
    tool('roots', {}, async (_, context) => asking(context, inputRequired.listRoots(), ({ roots }) => text(roots[0].uri)));
    const name = inputRequired.elicit(NAME);
    tool('ask', {}, async (_, context) => asking(context, name, ({ content }) => text(content.name)));
    server.registerPrompt('ask', {}, async (context) => asking(context, name, ({ content }) => prompt(content.name)));
    server.registerResource('asking', ASKING, {}, async (uri, context) => asking(context, name, ({ content }) => read(uri, content.name)));
    tool('visit', {}, async (_, context) => asking(context, inputRequired.elicitUrl(VISIT), ({ action }) => text(action)));
    const grow = () => {
      tool('grown', {}, async () => text('grown'));
      server.registerPrompt('grown', {}, () => prompt('grown'));
      server.registerResource('grown', GROWN, {}, (uri) => read(uri, 'grown'));
    };
    if (grown) grow();
    tool('grow', {}, async () => {
      grown = true;
      changed.lists(grow);
      return text('growing');
    });
    // This SDK serves no tasks; there is the tool, so that no refusal is about its name.
    tool('job', {}, async () => text('done'));

    tool('count', {}, async () => {
      count += 1;
      await changed.counter(server);
      return text(count);
    });
    server.registerResource('counter', COUNTER, { mimeType: 'text/plain' }, async (uri) => read(uri, count));
    server.registerResource(
      'greeting',
      new ResourceTemplate(GREETING, { list: undefined, complete: { name: completed } }),
      { mimeType: 'text/plain' },
      async (uri, { name }) => read(uri, `Hello, ${name}`),
    );
    const argsSchema = z.object({ name: completable(z.string(), completed) });
    server.registerPrompt('greet', { description: 'greet', argsSchema }, ({ name }) => prompt(`Greet ${name}`));
    return server;
  };
}

async function report({ _meta, notify }, params) {
  const progressToken = _meta?.progressToken;
  if (progressToken !== undefined) await notify({ method: 'notifications/progress', params: { progressToken, ...params } });
}

const options = { legacy: 'reject', onerror: (error) => console.error(error.message) };
const carriers = {
  stdio() {
    // One server object for the connection: it tells of its lists by itself.
    serveStdio(factory({ lists: (grow) => grow(), counter: ({ server }) => server.sendResourceUpdated({ uri: COUNTER }) }), options);
  },
  http() {
    const lists = () => {
      const { toolsChanged, promptsChanged, resourcesChanged } = handler.notify;
      for (const changed of [toolsChanged, promptsChanged, resourcesChanged]) changed();
    };
    const handler = createMcpHandler(factory({ lists, counter: () => handler.notify.resourceUpdated(COUNTER) }), options);
    listen('/mcp', (request, response, url) => answer(handler, request, response, url));
  },
};
carriers[process.argv[2]]();

// Each feature of MCP as an application uses it, whatever its SDK: resolves if it worked, throws what refused it.
import assert from 'node:assert/strict';
import { ASKING, COUNTER, GREETING, REMARK, STEPS } from '../../servers/features/world.mjs';

/** What a client of ours says when it is asked. */
export const answers = {
  'sampling/createMessage': { role: 'assistant', model: 'none', content: { type: 'text', text: 'a model' } },
  'roots/list': { roots: [{ uri: 'file:///home/ada' }] },
  form: { action: 'accept', content: { name: 'Ada' } },
  url: { action: 'accept' },
};

const LOG = 'notifications/message';
const UPDATED = 'notifications/resources/updated';

/** What came instead of a feature: `absent` or `dropped`. */
export class Instead extends Error {
  constructor(saw) {
    super(saw);
    this.saw = saw;
  }
}

/** The text of a tool's answer; a tool that failed throws what it said. */
async function call({ client, sdk }, name, args = {}, options = {}) {
  const result = await sdk.callTool(client, { name, arguments: args }, options);
  const [{ text }] = result.content;
  if (result.isError) throw Object.assign(new Error(text), { refused: true });
  return text;
}

const named = (list) => list.map(({ name }) => name);

/** Whether the server has a tool of this name. */
async function offers({ client }, name) {
  const { tools } = await client.listTools();
  return named(tools).includes(name);
}

export const features = {
  async ping(play) {
    const [here, there] = [play.sdk.ping, await offers(play, 'ping')];
    if (!here && !there) throw new Instead('absent');
    if (here) await play.sdk.ping(play.client);
    if (there) assert.equal(await call(play, 'ping'), 'pong');
  },
  async tools(play) {
    const { tools } = await play.client.listTools();
    assert(named(tools).includes('add'));
    assert.equal(await call(play, 'add', { a: 20, b: 22 }), '42');
  },
  async prompts({ client }) {
    const { prompts } = await client.listPrompts();
    assert(named(prompts).includes('greet'));
    const { messages } = await client.getPrompt({ name: 'greet', arguments: { name: 'Ada' } });
    assert.equal(messages[0].content.text, 'Greet Ada');
  },
  async resources({ client }) {
    const { resources } = await client.listResources();
    assert(named(resources).includes('counter'));
    const { resourceTemplates } = await client.listResourceTemplates();
    assert.equal(resourceTemplates[0].uriTemplate, GREETING);
    const { contents } = await client.readResource({ uri: GREETING.replace('{name}', 'Ada') });
    assert.equal(contents[0].text, 'Hello, Ada');
  },
  async completion({ client }) {
    const argument = { name: 'name', value: 'ad' };
    for (const ref of [{ type: 'ref/prompt', name: 'greet' }, { type: 'ref/resource', uri: GREETING }]) {
      const { completion } = await client.complete({ ref, argument });
      assert.deepEqual(completion.values, ['ada', 'adele']);
    }
  },
  async progress(play) {
    const [seen, word] = [[], 'top'];
    const onprogress = ({ progress }) => {
      seen.push(progress);
      if (progress === STEPS.at(-1)) call(play, 'say', { word });
    };
    assert.equal(await call(play, 'climb', { word }, { onprogress }), word);
    assert.deepEqual(seen, STEPS);
  },
  async cancellation(play) {
    const word = 'cancelled';
    const gone = new AbortController();
    // The call's progress says that the server is at it.
    const waiting = call(play, 'wait', { word }, { signal: gone.signal, onprogress: () => gone.abort('enough') });
    await assert.rejects(waiting);
    assert.equal(await call(play, 'hear', { word }), word);
  },
  async 'log messages'(play) {
    await play.sdk.logFrom(play.client, 'info');
    assert.equal(await call(play, 'log'), 'logged');
    assert.equal((await play.inbox.next(LOG)).data, 'logged');
  },
  async 'log messages of two calls at once'(play) {
    const word = 'both';
    const begun = Promise.withResolvers();
    const other = call(play, 'climb', { word }, { onprogress: begun.resolve });
    await begun.promise;
    await call(play, 'log');
    await call(play, 'say', { word });
    await other;
    // Two answers later nothing of the call is still to come.
    await other;
    if (!play.inbox.take(LOG)) throw new Instead('dropped');
  },
  async 'log messages of no request'(play) {
    const { resources } = await play.client.listResources();
    if (!named(resources).includes('remark')) throw new Instead('absent');
    await play.sdk.watch(play.client, COUNTER);
    await play.sdk.watch(play.client, REMARK);
    // The server says it after the remark, the same way: once it is here, the remark does not come any more.
    await play.inbox.next(UPDATED);
    if (!play.inbox.take(LOG)) throw new Instead('dropped');
  },
  async sampling(play) {
    assert.equal(await call(play, 'sample'), 'a model');
  },
  async roots(play) {
    assert.equal(await call(play, 'roots'), 'file:///home/ada');
  },
  async 'elicitation, form'(play) {
    assert.equal(await call(play, 'ask'), 'Ada');
  },
  async 'elicitation, URL'(play) {
    assert.equal(await call(play, 'visit'), 'accept');
  },
  async 'elicitation, URL by an error'(play) {
    if (!(await offers(play, 'pay'))) throw new Instead('absent');
    // Clients of 2025-11-25 see the error and come back; for those of 2026-07-28 there is none.
    const paid = await call(play, 'pay').catch((error) => {
      assert.equal(error.data?.elicitations?.[0].url, 'https://example.com/pay', error.message);
      return call(play, 'pay');
    });
    assert.equal(paid, 'paid');
  },
  async 'elicitation by prompts, resources'({ client }) {
    const { messages } = await client.getPrompt({ name: 'ask' });
    assert.equal(messages[0].content.text, 'Ada');
    const { contents } = await client.readResource({ uri: ASKING });
    assert.equal(contents[0].text, 'Ada');
  },
  async 'list changes'(play) {
    const { client, inbox } = play;
    await play.sdk.watchLists(client);
    await call(play, 'grow');
    for (const list of ['tools', 'prompts', 'resources']) await inbox.next(`notifications/${list}/list_changed`);
    const [{ tools }, { prompts }, { resources }] = [await client.listTools(), await client.listPrompts(), await client.listResources()];
    for (const list of [tools, prompts, resources]) assert(named(list).includes('grown'));
  },
  async 'resource updates'(play) {
    await play.sdk.watch(play.client, COUNTER);
    const count = await call(play, 'count');
    assert.equal((await play.inbox.next(UPDATED)).uri, COUNTER);
    const { contents } = await play.client.readResource({ uri: COUNTER });
    assert.equal(contents[0].text, count);
  },
  async tasks(play) {
    assert.equal(await play.sdk.task(play.client, { name: 'job', arguments: {} }), 'done');
  },
};

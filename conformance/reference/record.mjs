// Records what each client sends to register, authorize, redeem and call: fixtures/wire/oauth-NAME.json and fixtures/wire/mcp-NAME.json.
// usage: node record.mjs [NAME…]    (the whole list of clients.mjs without a name)
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { clients, environment } from './clients.mjs';
import { startRecorder } from './recorder.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const fixtures = join(here, '../fixtures/wire');
const METADATA_URL = 'https://client.example/metadata.json';

mkdirSync(fixtures, { recursive: true });
const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(clients);
for (const name of names) {
  const flow = await run(name, 'full,refresh');
  // The document can't be fetched: what counts is which id the client shows.
  const cimd = await run(name, 'full', { CLIENT_METADATA_URL: METADATA_URL }, { CIMD: '1' });
  const oauth = flow.requests.filter(isOAuth);
  const withDocument = cimd.requests.filter(isOAuth).filter(({ path }) => !path.startsWith('/.well-known'));
  write(`oauth-${name}.json`, { client: name, protocol: flow.protocol, requests: oauth, with_client_metadata_url: withDocument });
  write(`mcp-${name}.json`, { client: name, protocol: flow.protocol, requests: flow.requests.filter(isMcp) });
  console.log(`${name}: ${flow.outcome}, protocol ${flow.protocol}, ${oauth.length} OAuth and ${flow.requests.filter(isMcp).length} MCP requests; with a document: ${withDocument.map(({ path }) => path)}`);
}

function isMcp({ path }) {
  return path === '/reference/mcp';
}

/** Not the person's own pages. */
function isOAuth(request) {
  return !isMcp(request) && !request.path.startsWith('/ks/') && !/^\/auth\/./.test(request.path);
}

async function run(name, acts, clientEnv = {}, serverEnv = {}) {
  const recorder = await startRecorder();
  const reference = spawn(process.execPath, [join(here, 'reference.mjs')], {
    env: { ...process.env, ORIGIN: recorder.origin, ACCESS_TOKEN_LIFETIME: '3', ...serverEnv },
    stdio: ['pipe', 'pipe', process.env.VERBOSE ? 'inherit' : 'ignore'],
  });
  const lines = createInterface({ input: reference.stdout })[Symbol.asyncIterator]();
  const ready = JSON.parse((await lines.next()).value);
  recorder.target = { host: '127.0.0.1', port: ready.port };
  const { command, env } = clients[name];
  const driver = spawn(command[0], [...command.slice(1), ready.mcp_url, 'add', '{"a":1,"b":2}', acts], {
    env: environment({ ...env, ...clientEnv }),
    stdio: ['pipe', 'pipe', process.env.VERBOSE ? 'inherit' : 'ignore'],
  });
  const limit = setTimeout(() => driver.kill(), 60_000);
  let protocol;
  let outcome;
  for await (const line of createInterface({ input: driver.stdout })) {
    const event = JSON.parse(line);
    if (event.event === 'protocol') protocol = event.version;
    if (['done', 'error', 'person_failed'].includes(event.event)) outcome = event.message ?? event.event;
  }
  clearTimeout(limit);
  reference.kill();
  await once(reference, 'exit');
  await recorder.stop();
  return { requests: recorder.requests, protocol, outcome };
}

function write(file, value) {
  writeFileSync(join(fixtures, file), `${JSON.stringify(value, null, 2)}\n`);
}

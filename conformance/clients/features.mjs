// One real client goes through every feature with one server, and says what became of each.
//
//   node features.mjs CLIENT URL [ISSUER SCOPE]     over HTTP; with an issuer the scripted person signs in there first
//   node features.mjs CLIENT -- COMMAND ARGUMENTS…  over stdio
//
// CLIENT is a file of `features/`, with `+sse` for its HTTP+SSE transport. The server is one of `../servers/features/`.
// Prints one JSON line a feature, {"event":"feature","name","saw"}, then {"event":"done"}. `saw` is `worked`; `refused`, with
// `message`, and `code` if it was an error of JSON-RPC; `dropped`: no error, and nothing came; `absent`: one of the two SDKs
// has no such thing; or, with `message`, `broken`.
import { Instead, features } from './features/all.mjs';
import { Inbox } from './features/inbox.mjs';
import { signIn } from '../judges/party.mjs';
import { say } from './script.mjs';

const [name, target, ...rest] = process.argv.slice(2);
const [file, carrier = 'http'] = name.split('+');
const sdk = await import(`./features/${file}.mjs`);
const inbox = new Inbox();

async function transport() {
  if (target === '--') return sdk.stdio({ command: rest[0], args: rest.slice(1), stderr: 'inherit' });
  const [issuer, scope] = rest;
  const headers = issuer ? { Authorization: `Bearer ${await signIn(issuer, target, scope)}` } : {};
  // The gateway serves HTTP+SSE beside the endpoint that it is for.
  const address = carrier === 'sse' && issuer ? `${target}/sse` : target;
  return sdk[carrier](new URL(address), { requestInit: { headers } });
}

/** What was thrown instead: a refusal is an error of JSON-RPC, or a failed tool, which may name one. */
function outcome(error) {
  if (error instanceof Instead) return { saw: error.saw };
  const worded = /^(?:MCP error (-\d+): )?(.*)$/s.exec(error.message);
  const code = Number.isInteger(error.code) ? error.code : worded[1] && Number(worded[1]);
  if (error.refused || code) return { saw: 'refused', code, message: worded[2] };
  return { saw: 'broken', message: String(error.stack) };
}

const client = await sdk.connect(await transport(), inbox);
for (const [name, play] of Object.entries(features)) {
  const seen = play({ client, sdk, inbox }).then(() => ({ saw: 'worked' }), outcome);
  say('feature', { name, ...(await seen) });
}
await client.close();
say('done');
process.exit(0);

// What every client driver does, whatever its SDK:
//
//   node DRIVER MCP_URL TOOL JSON_ARGS [ACTS]
//
// ACTS is a comma list, played in order with one and the same client:
//   full     starts with no token: discovery, registration, sign-in, tool call
//   refresh  waits until the access token has expired and calls again; nobody signs in
//   revoked  waits for a line on standard input that says that the grant is gone, calls again: sign-in, then a result
//
// Standard output is one JSON object a line, each with `event`:
//   act{name} registered{…} authorize_url{url} callback{url} tokens{…} refused{status,method,path} protocol{version,server}
//   tools{names} result{act,text} waiting{for} session_lost{message} error{message} done
// No event holds a code, a token or a secret.
import { createInterface } from 'node:readline';

const [url, tool, args = '{}', acts = 'full'] = process.argv.slice(2);

/** What the driver was asked to do. */
export const task = { url, tool, acts: acts.split(','), get args() { return JSON.parse(args); } };

/** Prints one event. */
export function say(event, detail = {}) {
  process.stdout.write(`${JSON.stringify({ event, ...detail })}\n`);
}

/**
 * Plays the acts. `client.call()` connects if need be, signs in if asked to, and resolves to the text of the tool's
 * result; `client.accessToken()` is the one that it would send now; `client.close()` ends it.
 */
export async function play(client) {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const before = {
    full: async () => {},
    refresh: async () => untilExpired(await client.accessToken()),
    revoked: async () => {
      say('waiting', { for: 'revoked' });
      await lines.next();
    },
  };
  try {
    for (const act of task.acts) {
      say('act', { name: act });
      await before[act]();
      say('result', { act, text: await client.call() });
    }
    await client.close();
    say('done');
    process.exit(0);
  } catch (error) {
    say('error', { message: explain(error) });
    process.exit(1);
  }
}

/** The text of a `tools/call` result, which must not be an error. */
export function textOf(result) {
  const text = (result.content ?? []).map((part) => part.text ?? `[${part.type}]`).join('\n');
  if (result.isError) throw new Error(`the tool failed: ${text}`);
  return text;
}

/** Keeps what a test asserts about tokens and drops the tokens. */
export function withoutSecrets(tokens) {
  const { access_token, refresh_token, id_token, ...rest } = tokens;
  const { exp, aud, scope } = claims(access_token);
  return { ...rest, refresh_token: refresh_token !== undefined, claims: { exp, aud, scope } };
}

/** A callback URL without its code. */
export function withoutCode(callback) {
  const url = new URL(callback);
  if (url.searchParams.has('code')) url.searchParams.set('code', '<code>');
  return url.href;
}

/** A `fetch` that reports refusals, so that a test can tell a 401 from a silent refresh. */
export async function reportingFetch(input, init) {
  const response = await fetch(input, init);
  if (response.status >= 400) {
    say('refused', {
      status: response.status,
      method: init?.method ?? 'GET',
      path: new URL(input instanceof Request ? input.url : input).pathname,
      challenge: response.headers.get('www-authenticate') ?? undefined,
    });
  }
  return response;
}

/** Waits for the moment the token itself names: real time, because the client's own clock decides too. */
export async function untilExpired(token) {
  const { exp } = claims(token);
  if (!exp) throw new Error('the access token has no exp to wait for');
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, exp * 1000 - Date.now()) + 50));
}

function claims(token) {
  try {
    return JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
  } catch {
    return {};
  }
}

function explain(error) {
  const parts = [];
  for (let e = error; e; e = e.cause) parts.push(`${e.name ?? 'Error'}: ${e.message ?? e}`);
  return parts.join(' <- ');
}

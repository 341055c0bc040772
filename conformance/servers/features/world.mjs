// What both programs of `features` share: what a call can change or wait for, and how a program listens.
import http from 'node:http';

/** A result of one text. */
export const text = (value) => ({ content: [{ type: 'text', text: String(value) }] });

/** A prompt of one text. */
export const prompt = (value) => ({ messages: [{ role: 'user', content: { type: 'text', text: String(value) } }] });

/** A resource of one text. */
export const read = (uri, value) => ({ contents: [{ uri: uri.href, mimeType: 'text/plain', text: String(value) }] });

/** What to ask a person for. */
export const NAME = {
  mode: 'form',
  message: 'Your name?',
  requestedSchema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
};

/** A place to send a person to. */
export const VISIT = { message: 'Please pay', url: 'https://example.com/pay' };

/** The resources: one changes, one asks, one makes a server talk, one is a template, one comes later. */
export const COUNTER = 'features://counter';
export const ASKING = 'features://asking';
export const REMARK = 'features://remark';
export const GREETING = 'features://greeting/{name}';
export const GROWN = 'features://grown';

/** The steps of the tool that reports progress. */
export const STEPS = [1, 2, 3];

/** The names that completion knows. */
const NAMES = ['ada', 'adele', 'grace'];
export const completed = (start) => NAMES.filter((name) => name.startsWith(start ?? ''));

/** How long anything here waits for the other side. */
const PATIENCE = 30_000;

/** What two calls tell each other, by a word of their caller's: one waits for it, the other says it. */
export class Words {
  #said = new Map();

  #of(word) {
    if (!this.#said.has(word)) this.#said.set(word, Promise.withResolvers());
    return this.#said.get(word);
  }

  say(word) {
    this.#of(word).resolve(word);
    return word;
  }

  /** The word once it was said; after half a minute that it was not. */
  async hear(word) {
    let timer;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, PATIENCE, `nobody said ${word}`)));
    return Promise.race([this.#of(word).promise, late]).finally(() => clearTimeout(timer));
  }
}

/** Listens on loopback and says where; `answer(request, response, url)`. */
export function listen(path, answer) {
  const server = http.createServer((request, response) => answer(request, response, new URL(request.url, `http://${request.headers.host}`)));
  server.listen(0, '127.0.0.1', () => {
    console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}${path}` }));
  });
}

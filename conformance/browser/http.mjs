// A person who signs in and consents over plain HTTP: cookies by host and path, forms submitted as a browser would.
// No CSP, no COOP, no scripts: `chromium.mjs` is for those.
import http from 'node:http';
import https from 'node:https';
import { CookieJar } from 'tough-cookie';
import { readForms, readText } from './forms.mjs';
import { isRedirectUri } from './identity.mjs';

const MOST_STEPS = 12;

/** Signs in and decides. `authorize` may be called again: the cookies of the first time are still there. */
export class HttpPerson {
  constructor(person) {
    this.person = person;
    this.cookies = new CookieJar();
    /** Every request made: `{ method, url, status, form }`, for tests that assert what was asked. */
    this.steps = [];
  }

  /**
   * Follows an authorize URL until the authorization server sends the browser to the client, and returns that URL.
   * With `deliver` the client's listener gets it too. A pushed request (RFC 9126) does not name its `redirectUri`.
   */
  async authorize(authorizeUrl, { deliver = false, redirectUri = new URL(authorizeUrl).searchParams.get('redirect_uri') } = {}) {
    let request = { method: 'GET', url: new URL(authorizeUrl) };
    for (let step = 0; step < MOST_STEPS; step++) {
      const page = await this.#send(request);
      const location = page.headers.location && new URL(page.headers.location, request.url);
      if (location && redirectUri && isRedirectUri(location, redirectUri)) {
        if (deliver) await deliverTo(location);
        return location.href;
      }
      request = location ? { method: 'GET', url: location } : this.#submission(page, request.url);
    }
    throw new Error(`no redirect to the client after ${MOST_STEPS} steps`);
  }

  /** Connects a device: opens the URL with its code in it (RFC 8628 §3.3.1), decides, and gives the text of the last page. */
  async allowDevice(verificationUrl) {
    let request = { method: 'GET', url: new URL(verificationUrl) };
    for (let step = 0; step < MOST_STEPS; step++) {
      const page = await this.#send(request);
      const location = page.headers.location && new URL(page.headers.location, request.url);
      if (!location && request.body?.has('decision')) return readText(page.body);
      request = location ? { method: 'GET', url: location } : this.#submission(page, request.url);
    }
    throw new Error(`the device was not answered after ${MOST_STEPS} steps`);
  }

  /** Fills in the one form of the page that this person has an answer for. */
  #submission(page, url) {
    const forms = readForms(page.body, url.href);
    const named = (form, name) => form.fields.some((field) => field.name === name);
    const form =
      forms.find((form) => named(form, 'password')) ??
      forms.find((form) => form.buttons.some((b) => b.name === 'decision')) ??
      forms.find((form) => named(form, 'user_code'));
    if (!form) throw new Error(`${page.status} without a form to fill in at ${url.href}: ${readText(page.body).slice(0, 600)}`);
    if (this.steps.filter((step) => step.form === form.action.pathname).length > 1) {
      throw new Error(`the form ${form.action.pathname} came a third time: ${readText(page.body).slice(0, 600)}`);
    }
    const answers = { username: this.person.username, password: this.person.password, setup_code: this.person.setupCode };
    const body = new URLSearchParams();
    for (const { name, type, value, checked } of form.fields) {
      if ((type === 'checkbox' || type === 'radio') && !checked) continue;
      body.append(name, answers[name] ?? value);
    }
    const button = form.buttons.find((b) => b.name === 'decision' && b.value === this.person.decision);
    if (button) body.append(button.name, button.value);
    else if (form.buttons.some((b) => b.name === 'decision')) throw new Error(`no button says ${this.person.decision}`);
    return { method: form.method, url: form.action, body, referrer: url };
  }

  async #send({ method, url, body, referrer }) {
    const headers = {
      accept: 'text/html,application/xhtml+xml',
      'user-agent': 'keystile-scripted-person',
      'sec-fetch-dest': 'document',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-user': '?1',
      'sec-fetch-site': referrer ? (referrer.origin === url.origin ? 'same-origin' : 'cross-site') : 'none',
    };
    const cookie = await this.cookies.getCookieString(url.href);
    if (cookie) headers.cookie = cookie;
    if (body) Object.assign(headers, { 'content-type': 'application/x-www-form-urlencoded', origin: referrer.origin });
    const response = await exchange(method, url, headers, body?.toString());
    for (const line of response.headers['set-cookie'] ?? []) await this.cookies.setCookie(line, url.href);
    this.steps.push({ method, url: url.href, status: response.status, form: body && url.pathname });
    return response;
  }
}

/** Many clients start listening only after they have opened the browser; a person takes longer than that. */
async function deliverTo(callback) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await exchange('GET', callback, { accept: 'text/html' });
    } catch (error) {
      if (error.code !== 'ECONNREFUSED' || attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function exchange(method, url, headers, body) {
  const { request } = url.protocol === 'https:' ? https : http;
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent: false }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

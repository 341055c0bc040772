// A person in a real Chromium: CSP, cookies, COOP, scripts and layout are the browser's own.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { isRedirectUri } from './identity.mjs';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const PATIENCE = 30_000;

/** One browser with one profile. `complaints` collects what a page should never cause. */
export class ChromiumPerson {
  complaints = [];
  /** Told about each complaint at once, if set. */
  onComplaint;

  /** `contextOptions` are playwright's (`colorScheme`, `viewport`, `ignoreHTTPSErrors`). */
  static async launch(person, contextOptions = {}) {
    const executablePath = process.env.KEYSTILE_CHROMIUM ?? '/usr/bin/chromium';
    const browser = await chromium.launch({ executablePath, headless: true, args: FLAGS });
    const made = new ChromiumPerson();
    made.person = person;
    made.browser = browser;
    made.context = await browser.newContext(contextOptions);
    made.context.setDefaultTimeout(PATIENCE);
    await made.context.exposeBinding('reportViolation', (_, violation) => made.#complain(violation));
    await made.context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (e) =>
        window.reportViolation(`CSP ${e.effectiveDirective} blocked ${e.blockedURI} on ${e.documentURI}`),
      );
    });
    made.context.on('page', (page) => made.#watch(page));
    return made;
  }

  #watch(page) {
    page.on('console', (message) => {
      if (message.type() === 'error') this.#complain(`console on ${page.url()}: ${message.text()}`);
    });
    page.on('pageerror', (error) => this.#complain(`script error on ${page.url()}: ${error.message}`));
  }

  #complain(complaint) {
    this.complaints.push(complaint);
    this.onComplaint?.(complaint);
  }

  /** Opens a page of its own. */
  async open(url) {
    const page = await this.context.newPage();
    await page.goto(url);
    return page;
  }

  /** Opens an authorize URL, answers everything, gives the URL that the client got. */
  async authorize(authorizeUrl, seen = {}) {
    const page = await this.open(authorizeUrl);
    return this.answer(page, new URL(authorizeUrl).searchParams.get('redirect_uri'), seen);
  }

  /**
   * Answers the forms of `page` until the browser is sent to `redirectUri`. `seen.signIn(page)` and `seen.consent(page)`
   * may look at each page before it is answered.
   */
  async answer(page, redirectUri, seen = {}) {
    const arrived = this.#redirectTo(redirectUri);
    for (let step = 0; step < 4; step++) {
      // Where the redirect leaves http, or is blocked, no page follows: the redirect itself counts.
      const loaded = page.waitForEvent('load');
      loaded.catch(() => {});
      await this.#submit(page, seen);
      const callback = await Promise.race([arrived, loaded.then(() => undefined)]);
      if (callback) return callback;
      if (isRedirectUri(page.url(), redirectUri)) return arrived;
    }
    throw new Error(`no redirect to ${redirectUri}; at ${page.url()}: ${(await page.locator('body').innerText()).slice(0, 600)}`);
  }

  async #submit(page, seen) {
    const { username, password, setupCode, decision } = this.person;
    if (!(await page.locator('input[name=password]').count())) {
      await seen.consent?.(page);
      return page.locator(`button[name=decision][value=${decision}]`).click({ noWaitAfter: true });
    }
    await seen.signIn?.(page);
    await page.locator('input[name=username]').fill(username);
    await page.locator('input[name=password]').fill(password);
    const code = page.locator('input[name=setup_code]');
    if (await code.count()) await code.fill(setupCode ?? '');
    return page.locator('form:has(input[name=password]) button').last().click({ noWaitAfter: true });
  }

  /** The URL of the first redirect to `redirectUri`, when it comes. */
  #redirectTo(redirectUri) {
    return new Promise((resolve) => {
      this.context.on('response', (response) => {
        const location = response.headers().location;
        const target = location && new URL(location, response.url()).href;
        if (target && isRedirectUri(target, redirectUri)) resolve(target);
      });
    });
  }

  /** The cookies as the browser holds them. */
  cookies() {
    return this.context.cookies();
  }

  async close() {
    await this.browser.close();
  }
}

const WIDTHS = [320, 768, 1280];

/** The widths at which the page is wider than its window, as `NAME at 320`. */
export async function overflow(page, name) {
  const before = page.viewportSize();
  const found = [];
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 800 });
    if (await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)) found.push(`${name} at ${width}`);
  }
  await page.setViewportSize(before);
  return found;
}

/** Takes the page at three widths, light and dark, into KEYSTILE_SHOTS, if that is set. */
export async function photograph(page, name) {
  const folder = process.env.KEYSTILE_SHOTS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  const before = page.viewportSize();
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 800 });
      await page.screenshot({ path: join(folder, `${name}-${width}-${colorScheme}.png`), fullPage: true });
    }
  }
  await page.emulateMedia({ colorScheme: null });
  if (before) await page.setViewportSize(before);
}

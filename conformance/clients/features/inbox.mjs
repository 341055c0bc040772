// What a server sends on its own account, kept until somebody asks for it.

/** Longer than any notification takes. */
const PATIENCE = 30_000;

export class Inbox {
  #kept = [];
  #waiting = [];

  /** A notification came. */
  put(method, params) {
    const waiting = this.#waiting.findIndex((waiting) => waiting.method === method);
    if (waiting === -1) this.#kept.push({ method, params });
    else this.#waiting.splice(waiting, 1)[0].resolve(params);
  }

  /** Whether one is there now, and forgets it. */
  take(method) {
    const kept = this.#kept.findIndex((kept) => kept.method === method);
    return kept !== -1 && this.#kept.splice(kept, 1)[0].params;
  }

  /** The next one's params; one that does not come fails by name. */
  async next(method) {
    const kept = this.take(method);
    if (kept) return kept;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`no ${method} came`)), PATIENCE);
      this.#waiting.push({ method, resolve: (params) => resolve(params, clearTimeout(late)) });
    });
  }
}

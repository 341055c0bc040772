// Who the scripted person is, handed over by environment so that every foreign client can pass it on unknowingly.

/** The person described by `KEYSTILE_PERSON_*`. */
export function personFromEnvironment(env = process.env) {
  return {
    username: env.KEYSTILE_PERSON_NAME ?? 'alice',
    password: env.KEYSTILE_PERSON_PASSWORD ?? 'correct horse battery staple',
    setupCode: env.KEYSTILE_PERSON_SETUP_CODE,
    decision: env.KEYSTILE_PERSON_DECISION ?? 'allow',
  };
}

/** Whether `url` is the client's redirect URI (query and fragment aside). */
export function isRedirectUri(url, redirectUri) {
  const bare = (value) => new URL(value).href.split(/[?#]/, 1)[0];
  return bare(url) === bare(redirectUri);
}

// The checks of a judge: one JSON line each, {"check","ok","detail"}, and at the end whether one failed.
let failed = 0;

/** Runs one check; what it returns stands in the line. */
export async function check(name, run) {
  try {
    const detail = await run();
    console.log(JSON.stringify({ check: name, ok: true, detail }));
  } catch (error) {
    failed += 1;
    const answer = error.error && `${error.error}: ${error.error_description}`;
    console.log(JSON.stringify({ check: name, ok: false, detail: answer ?? error.message, cause: error.cause?.body }));
  }
}

/** Ends the judge: exit code 1 if a check failed. */
export function verdict() {
  process.exit(failed ? 1 : 0);
}

/** Expects a refusal and gives its code. */
export async function refused(action, ...codes) {
  let got;
  try {
    await action();
  } catch (error) {
    got = error.error ?? error.code;
    if (codes.includes(got)) return got;
    throw new Error(`expected ${codes.join(' or ')}, got ${got ?? ''} ${error.error_description ?? error.message}`);
  }
  throw new Error(`expected ${codes.join(' or ')}, and it was accepted`);
}

/** Expects something to be so. */
export function must(condition, otherwise) {
  if (!condition) throw new Error(otherwise);
}

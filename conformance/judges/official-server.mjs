// Runs the official `conformance server` against an MCP server, with what one revision requires.
// usage: node official-server.mjs URL REVISION [ISSUER SCOPE]
// With an issuer the scripted person signs in there first, and a proxy adds the token to every request (`add-token.mjs`).
// Prints one JSON line, {"exit","scenarios":[{"name","required","checks":[{"id","name","status","error"}]}]}, in the order in
// which they ran; the suite's own words go to standard error.
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { addToken } from './add-token.mjs';
import { signIn } from './party.mjs';
import { resultsFolder, suite } from './suite.mjs';

const [url, revision, issuer, scope] = process.argv.slice(2);
const results = resultsFolder();

/** The scenarios that count: the first list below `server:`. */
function required() {
  const text = readFileSync(join(suite, `../../requirements/${revision}.yaml`), 'utf8');
  const [, list] = text.match(/^server:\n((?: {2}- .*\n)+)/m);
  return list.match(/[^\s-]\S*/g);
}

/** What it wrote down: a folder a scenario, `server-NAME-TIME`. */
function scenarios() {
  const counts = required();
  const folders = readdirSync(results).map((folder) => [folder, ...folder.match(/^server-(.*)-(\d{4}-\d\d-\d\dT.*)$/).slice(1)]);
  folders.sort(([, , one], [, , other]) => (one < other ? -1 : 1));
  return folders.map(([folder, name]) => {
    const checks = JSON.parse(readFileSync(join(results, folder, 'checks.json'), 'utf8'));
    const verdicts = checks.map(({ id, name, status, errorMessage: error }) => ({ id, name, status, error }));
    return { name, required: counts.includes(name), checks: verdicts };
  });
}

const proxy = issuer && (await addToken(url, await signIn(issuer, url, scope)));
const judge = spawn(process.execPath, [suite, 'server', '--url', proxy?.url ?? url, '--requirements', revision, '-o', results]);
judge.stdout.pipe(process.stderr);
judge.stderr.pipe(process.stderr);
judge.on('close', (exit) => {
  proxy?.close();
  console.log(JSON.stringify({ exit, scenarios: scenarios() }));
  rmSync(results, { recursive: true, force: true });
});

// Runs the official `conformance authorization` unattended: the scripted person opens the authorize URL that it prints.
// usage: node official.mjs ISSUER CLIENT_ID PORT SPEC_VERSION RESOURCE
// The client must be public and registered with http://127.0.0.1:PORT/callback. Prints one JSON line:
// {"exit","scenarios":[{"name","passed","failed"}],"complaints":[…]}, where a warning is a failure; the suite's own words go to standard error.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HttpPerson } from '../browser/http.mjs';
import { personFromEnvironment } from '../browser/identity.mjs';

const [issuer, clientId, port, specVersion, resource] = process.argv.slice(2);
const suite = join(dirname(fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/package.json'))), 'dist/index.js');
const results = mkdtempSync(join(tmpdir(), 'keystile-conformance-'));

const judge = spawn(process.execPath, [
  suite, 'authorization', '--url', issuer, '--client-id', clientId, '-p', port,
  '--spec-version', specVersion, '-o', results, ...(resource ? ['--resource', resource] : []),
]);
judge.stderr.pipe(process.stderr);
let printed = '';
let opened = 0;
judge.stdout.on('data', async (chunk) => {
  process.stderr.write(chunk);
  printed += chunk;
  const urls = printed.match(/^https?:\/\/\S*[?&]response_type=code\S*$/gm) ?? [];
  // It prints the URL a little before it listens.
  if (urls.length === opened || !printed.includes('Waiting up to')) return;
  opened = urls.length;
  try {
    await new HttpPerson(personFromEnvironment()).authorize(urls.at(-1), { deliver: true });
  } catch (error) {
    console.error(error.message);
    judge.kill();
  }
});
judge.on('close', (code) => {
  const files = readdirSync(results, { recursive: true }).filter((name) => name.endsWith('checks.json'));
  const scenarios = files.map((file) => {
    const checks = JSON.parse(readFileSync(join(results, file), 'utf8'));
    const count = (...statuses) => checks.filter(({ status }) => statuses.includes(status)).length;
    const name = dirname(file).replace(/^authorization-server-/, '').replace(/-\d{4}-\d\d-.*$/, '');
    return { name, passed: count('SUCCESS'), failed: count('FAILURE', 'WARNING'), checks };
  });
  rmSync(results, { recursive: true, force: true });
  const complaints = scenarios.flatMap(({ checks }) => checks.filter(({ status }) => ['FAILURE', 'WARNING'].includes(status)));
  console.log(JSON.stringify({ exit: code, scenarios: scenarios.map(({ checks, ...rest }) => rest), complaints }));
  process.exit(code ?? 1);
});

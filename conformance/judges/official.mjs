// Runs the official `conformance authorization` unattended: the scripted person opens the authorize URL that it prints.
// usage: node official.mjs ISSUER CLIENT_ID PORT SPEC_VERSION RESOURCE
// The client must be public and registered with http://127.0.0.1:PORT/callback. Prints one JSON line (see `suite.mjs`); the
// suite's own words go to standard error.
import { spawn } from 'node:child_process';
import { HttpPerson } from '../browser/http.mjs';
import { personFromEnvironment } from '../browser/identity.mjs';
import { conclude, resultsFolder, suite } from './suite.mjs';

const [issuer, clientId, port, specVersion, resource] = process.argv.slice(2);
const results = resultsFolder();

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
judge.on('close', (code) => conclude(results, code));

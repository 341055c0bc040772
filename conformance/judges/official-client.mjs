// Runs one scenario of the official `conformance client` on one of our drivers.
// usage: node official-client.mjs SCENARIO DRIVER
// Prints one JSON line (see `suite.mjs`); the suite's own words go to standard error.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { conclude, resultsFolder, suite } from './suite.mjs';

const [scenario, driver] = process.argv.slice(2);
const results = resultsFolder();
// It hands the command to a shell.
const quoted = [process.execPath, fileURLToPath(new URL(`../clients/${driver}`, import.meta.url))].map((word) => `'${word}'`);
const judge = spawn(process.execPath, [suite, 'client', '--command', quoted.join(' '), '--scenario', scenario, '-o', results, '--verbose']);
judge.stdout.pipe(process.stderr);
judge.stderr.pipe(process.stderr);
judge.on('close', (code) => conclude(results, code));

// The official conformance suite as a program: where it is, and what it writes down of a run.
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Its file to run under Node. */
export const suite = join(dirname(fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/package.json'))), 'dist/index.js');

/** A folder for `-o`. */
export const resultsFolder = () => mkdtempSync(join(tmpdir(), 'keystile-conformance-'));

/** Prints {"exit","scenarios":[{"name","passed","failed"}],"complaints":[…]}, where a warning is a failure; removes the folder and ends. */
export function conclude(folder, exit) {
  const files = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('checks.json'));
  const scenarios = files.map((file) => {
    const checks = JSON.parse(readFileSync(join(folder, file), 'utf8'));
    const count = (...statuses) => checks.filter(({ status }) => statuses.includes(status)).length;
    const name = dirname(file).replace(/^authorization-server-/, '').replace(/-\d{4}-\d\d-.*$/, '');
    return { name, passed: count('SUCCESS'), failed: count('FAILURE', 'WARNING'), checks };
  });
  rmSync(folder, { recursive: true, force: true });
  const complaints = scenarios.flatMap(({ checks }) => checks.filter(({ status }) => ['FAILURE', 'WARNING'].includes(status)));
  console.log(JSON.stringify({ exit, scenarios: scenarios.map(({ checks, ...rest }) => rest), complaints }));
  process.exit(exit ?? 1);
}

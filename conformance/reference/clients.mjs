// How each client driver is started. KEYSTILE_TOOLS names the file that `cargo xtask tools` wrote.
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const conformance = join(dirname(fileURLToPath(import.meta.url)), '..');
const cache = process.env.KEYSTILE_CACHE ?? join(homedir(), '.cache/keystile');
const tools = JSON.parse(readFileSync(process.env.KEYSTILE_TOOLS ?? join(cache, 'tools/tools.json'), 'utf8'));
const driver = (name) => join(conformance, 'clients', name);

/** `name → { command, env }`; the four arguments of a driver follow. */
export const clients = {
  'ts-v1': { command: [tools.node, driver('ts-v1.mjs')] },
  'ts-v2-legacy': { command: [tools.node, driver('ts-v2.mjs')], env: { MODE: 'legacy' } },
  'ts-v2-auto': { command: [tools.node, driver('ts-v2.mjs')], env: { MODE: 'auto' } },
  'ts-v2-2026-07-28': { command: [tools.node, driver('ts-v2.mjs')], env: { MODE: '2026-07-28' } },
  'mcp-remote': { command: [tools.node, driver('mcp-remote.mjs')] },
  'mcp-remote-auto': { command: [tools.node, driver('mcp-remote.mjs')], env: { MODE: 'auto' } },
  'py-mcp': { command: [tools.python_mcp, driver('py_mcp.py')] },
  'fastmcp-client': { command: [tools.python_fastmcp, driver('fastmcp_client.py')] },
  'rmcp-auto': { command: [tools.rmcp_client] },
  'rmcp-legacy': { command: [tools.rmcp_client], env: { MODE: 'legacy' } },
};

/** What a driver finds in its environment. */
export function environment(extra) {
  return { ...process.env, KEYSTILE_NODE: tools.node, KEYSTILE_PERSON: join(conformance, 'browser/person.mjs'), ...extra };
}

export { tools };

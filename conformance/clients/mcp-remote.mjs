// mcp-remote: the stdio bridge that hosts without OAuth put in front of a remote server. It signs in by itself: it opens a
// browser (the xdg-open stand-in), listens on loopback and keeps its tokens in files. MODE as in ts-v2.mjs: what the
// host speaks to the bridge, and the bridge to the server.
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { play, say, task, textOf, withoutCode, withoutSecrets } from './script.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const browser = join(here, '../browser');
const bridge = join(dirname(fileURLToPath(import.meta.resolve('mcp-remote/package.json'))), 'dist/proxy.js');
const patience = { timeout: 60_000 };

class McpRemote {
  #home = mkdtempSync(join(tmpdir(), 'keystile-mcp-remote-'));
  #log = join(this.#home, 'person.jsonl');
  #read = 0;
  #client;

  accessToken() {
    return this.#stored('tokens.json').access_token;
  }

  async call() {
    try {
      if (!this.#client) await this.#connect();
      return textOf(await this.#client.callTool({ name: task.tool, arguments: task.args }, patience));
    } finally {
      this.#report();
    }
  }

  async close() {
    await this.#client?.close();
    rmSync(this.#home, { recursive: true, force: true });
  }

  async #connect() {
    const mode = process.env.MODE ?? 'legacy';
    const protocol = mode === 'legacy' ? [] : ['--protocol', mode];
    const metadataUrl = process.env.CLIENT_METADATA_URL;
    const identity = metadataUrl ? ['--client-metadata-url', metadataUrl] : [];
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [bridge, task.url, ...protocol, ...identity],
      env: {
        ...process.env,
        HOME: this.#home,
        MCP_REMOTE_CONFIG_DIR: this.#home,
        PATH: `${browser}:${process.env.PATH}`,
        BROWSER: `${browser}/xdg-open`,
        KEYSTILE_NODE: process.execPath,
        KEYSTILE_PERSON_LOG: this.#log,
      },
      stderr: process.env.VERBOSE ? 'inherit' : 'ignore',
    });
    // Waiting for its callback it would outlive us.
    process.once('SIGTERM', () => {
      if (transport.pid) process.kill(transport.pid);
      process.exit(143);
    });
    const versionNegotiation = { mode: ['legacy', 'auto'].includes(mode) ? mode : { pin: mode } };
    const client = new Client({ name: 'conformance-mcp-remote', version: '1.0.0' }, { versionNegotiation });
    await client.connect(transport, patience);
    this.#client = client;
    this.#report();
    say('protocol', { version: client.getNegotiatedProtocolVersion(), server: client.getServerVersion()?.name });
    const { tools } = await client.listTools({}, patience);
    say('tools', { names: tools.map((tool) => tool.name) });
  }

  /** What the bridge did behind our back since the last time: the person's log, then the tokens it kept. */
  #report() {
    const lines = existsSync(this.#log) ? readFileSync(this.#log, 'utf8').trim().split('\n') : [];
    for (const line of lines.slice(this.#read)) {
      const { event, url, ...detail } = JSON.parse(line);
      say(event, { ...detail, ...(url && { url: withoutCode(url) }) });
    }
    this.#read = lines.length;
    const tokens = this.#stored('tokens.json');
    if (tokens && tokens.access_token !== this.reported) {
      this.reported = tokens.access_token;
      say('registered', { client_id: this.#stored('client_info.json')?.client_id });
      say('tokens', withoutSecrets(tokens));
    }
  }

  #stored(suffix) {
    const file = readdirSync(this.#home, { recursive: true }).find((name) => name.endsWith(suffix));
    return file && JSON.parse(readFileSync(join(this.#home, file), 'utf8'));
  }
}

await play(new McpRemote());

// How an application uses either TypeScript SDK: connect, call, and when told to sign in, do so and try once more.
import { say, task, textOf } from './script.mjs';

/**
 * `sdk` = `{ create() → { client, transport }, finishAuth(transport, callback), isUnauthorized(error), protocolOf(client, transport) }`.
 */
export class TypeScriptClient {
  #connection;

  constructor(sdk, provider) {
    this.sdk = sdk;
    this.provider = provider;
  }

  accessToken() {
    return this.provider.tokens().access_token;
  }

  async call() {
    for (let attempt = 0; ; attempt++) {
      try {
        if (!this.#connection) await this.#connect();
        return textOf(await this.#connection.client.callTool({ name: task.tool, arguments: task.args }));
      } catch (error) {
        if (attempt === 2) throw error;
        await this.#recover(error);
      }
    }
  }

  async close() {
    await this.#connection?.client.close();
  }

  async #connect() {
    const { client, transport } = this.sdk.create();
    this.pending = transport;
    await client.connect(transport);
    this.#connection = { client, transport };
    say('protocol', { version: this.sdk.protocolOf(client, transport), server: client.getServerVersion()?.name });
    const { tools } = await client.listTools();
    say('tools', { names: tools.map((tool) => tool.name) });
  }

  async #recover(error) {
    if (this.sdk.isUnauthorized(error)) {
      const callback = await this.provider.takeSignIn();
      if (!callback) throw error;
      await this.sdk.finishAuth(this.#connection?.transport ?? this.pending, callback);
      return;
    }
    // A session ends with the grant it belonged to; the application starts another (Streamable HTTP, session management).
    if (this.#connection && /404|session/i.test(String(error))) {
      say('session_lost', { message: error.message });
      await this.#connection.client.close();
      this.#connection = undefined;
      return;
    }
    throw error;
  }
}

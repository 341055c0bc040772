// The application's half of the TypeScript SDKs' OAuth (both major versions take the same shape): it keeps what the SDK
// hands over in memory and sends the person to the authorize URL. Everything else is the SDK's own doing.
import { createHash, randomUUID } from 'node:crypto';
import { HttpPerson } from '../browser/http.mjs';
import { personFromEnvironment } from '../browser/identity.mjs';
import { say, withoutCode, withoutSecrets } from './script.mjs';

/** An `OAuthClientProvider`; `signIn()` is the callback URL of the sign-in under way. */
export class ScriptedProvider {
  #client;
  #tokens;
  #discovery;
  #verifiers = [];
  #verifier;
  #signIn;

  constructor({ name, redirectUri, clientMetadataUrl }) {
    this.redirectUrl = redirectUri;
    this.clientMetadataUrl = clientMetadataUrl;
    this.clientMetadata = {
      client_name: name,
      redirect_uris: [redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    };
  }

  state = () => randomUUID();
  clientInformation = () => this.#client;
  tokens = () => this.#tokens;
  codeVerifier = () => this.#verifier;
  discoveryState = () => this.#discovery;

  saveClientInformation(client) {
    this.#client = client;
    const { client_secret, registration_access_token, ...rest } = client;
    say('registered', { ...rest, client_secret: client_secret !== undefined });
  }

  saveTokens(tokens) {
    this.#tokens = tokens;
    say('tokens', withoutSecrets(tokens));
  }

  saveDiscoveryState(state) {
    this.#discovery = state;
  }

  // A stream that ends in the background may begin a second sign-in beside the first. A person answers one at a time,
  // and the verifier that counts is the one of the URL that the person was shown.
  saveCodeVerifier(verifier) {
    this.#verifiers.push(verifier);
  }

  redirectToAuthorization(url) {
    if (this.#signIn) return;
    const challenge = url.searchParams.get('code_challenge');
    this.#verifier = this.#verifiers.find((v) => createHash('sha256').update(v).digest('base64url') === challenge);
    say('authorize_url', { url: url.href });
    this.#signIn = new HttpPerson(personFromEnvironment()).authorize(url.href).then((callback) => {
      const state = new URL(callback).searchParams.get('state');
      if (state !== url.searchParams.get('state')) throw new Error('the state came back changed');
      say('callback', { url: withoutCode(callback) });
      return new URL(callback);
    });
    this.#signIn.catch(() => {});
  }

  invalidateCredentials(what) {
    if (what === 'all' || what === 'client') this.#client = undefined;
    if (what === 'all' || what === 'tokens') this.#tokens = undefined;
    if (what === 'all' || what === 'discovery') this.#discovery = undefined;
  }

  /** The callback URL of the sign-in under way, once; `undefined` when nobody was asked to sign in. */
  async takeSignIn() {
    const callback = await this.#signIn;
    this.#signIn = undefined;
    if (callback?.searchParams.has('error')) throw new Error(`the sign-in ended in ${callback.search}`);
    return callback;
  }
}

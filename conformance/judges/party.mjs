// A strict OAuth 2.1 client on oauth4webapi, which validates every response by its RFC, with a person who has one session.
import * as oauth from 'oauth4webapi';
import { HttpPerson } from '../browser/http.mjs';
import { personFromEnvironment } from '../browser/identity.mjs';

const loopback = { [oauth.allowInsecureRequests]: true };

/** An authorization server, a client registered there and a person who signs in. */
export class Party {
  constructor(issuer, resource, scope) {
    Object.assign(this, { issuer: new URL(issuer), resource, scope, redirectUri: 'http://127.0.0.1:18770/callback' });
    this.person = new HttpPerson(personFromEnvironment());
    this.auth = oauth.None();
  }

  /** Metadata by either form of discovery: `oauth2` (RFC 8414) or `oidc`. */
  async discover(algorithm = 'oauth2') {
    const response = await oauth.discoveryRequest(this.issuer, { algorithm, ...loopback });
    this.server = await oauth.processDiscoveryResponse(this.issuer, response);
    return this.server;
  }

  /** Registers another public client and gives it (RFC 7591). */
  async register(name, more = {}) {
    const metadata = {
      client_name: name,
      redirect_uris: [this.redirectUri],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      application_type: 'native',
      ...more,
    };
    const response = await oauth.dynamicClientRegistrationRequest(this.server, metadata, loopback);
    return oauth.processDynamicClientRegistrationResponse(response);
  }

  /** An authorize URL; `change` overrides parameters, `null` removes one. */
  async request(change = {}, client = this.client) {
    const verifier = oauth.generateRandomCodeVerifier();
    const parameters = {
      client_id: client.client_id,
      response_type: 'code',
      redirect_uri: this.redirectUri,
      scope: this.scope,
      state: oauth.generateRandomState(),
      resource: this.resource,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      ...change,
    };
    const url = new URL(this.server.authorization_endpoint);
    for (const [name, value] of Object.entries(parameters)) if (value !== null) url.searchParams.set(name, value);
    return { url, verifier, client, state: parameters.state, redirectUri: parameters.redirect_uri };
  }

  /** Goes through the person and gives the request with its callback. */
  async authorize(change, { client, decision = 'allow' } = {}) {
    const asked = await this.request(change, client);
    this.person.person.decision = decision;
    this.person.steps.length = 0;
    return { ...asked, callback: new URL(await this.person.authorize(asked.url.href)) };
  }

  /** The checked parameters of a callback (RFC 6749 §4.1.2, RFC 9207); an error response is thrown. */
  answer({ client, callback, state }) {
    return oauth.validateAuthResponse(this.server, client, callback, state);
  }

  /** Redeems a code; `change` overrides verifier, client, redirectUri or resource. */
  async redeem(authorized, change = {}) {
    const { client, verifier, redirectUri, resource } = { resource: this.resource, ...authorized, ...change };
    const options = { additionalParameters: { resource }, ...loopback };
    const answer = this.answer(authorized);
    const response = await oauth.authorizationCodeGrantRequest(this.server, client, this.auth, answer, redirectUri, verifier, options);
    return oauth.processAuthorizationCodeResponse(this.server, client, response);
  }

  /** Refreshes (RFC 6749 §6). */
  async refresh(token, parameters = {}, client = this.client) {
    const additionalParameters = { resource: this.resource, ...parameters };
    const response = await oauth.refreshTokenGrantRequest(this.server, client, this.auth, token, { additionalParameters, ...loopback });
    return oauth.processRefreshTokenResponse(this.server, client, response);
  }

  /** Revokes (RFC 7009). */
  async revoke(token, client = this.client) {
    const response = await oauth.revocationRequest(this.server, client, this.auth, token, loopback);
    return oauth.processRevocationResponse(response);
  }

  /** Validates an access token as a resource server does (RFC 9068); gives its claims. */
  validate(token) {
    const request = new Request(this.resource, { headers: { authorization: `Bearer ${token}` } });
    return oauth.validateJwtAccessToken(this.server, request, this.resource, loopback);
  }
}

/** An access token of the scripted person for one resource. */
export async function signIn(issuer, resource, scope) {
  const party = new Party(issuer, resource, scope);
  await party.discover();
  party.client = await party.register('conformance');
  const tokens = await party.redeem(await party.authorize());
  return tokens.access_token;
}

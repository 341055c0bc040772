// Judges the keys of an authorization server as other resource servers would: jose and oauth4webapi read its key set and
// check a fresh token with it.
// usage: node keys.mjs ISSUER RESOURCE SCOPE
// Prints one JSON line, {"alg","kid","published"}, and exits 1 if a check failed.
import * as jose from 'jose';
import { must } from './checks.mjs';
import { Party } from './party.mjs';

const [issuer, resource, scope] = process.argv.slice(2);
const party = new Party(issuer, resource, scope);
await party.discover();
party.client = await party.register('key judge');
const tokens = await party.redeem(await party.authorize());
await party.validate(tokens.access_token);

const remote = jose.createRemoteJWKSet(new URL(party.server.jwks_uri));
const wanted = { issuer: party.server.issuer, audience: resource, typ: 'at+jwt', requiredClaims: ['exp', 'iat', 'jti'] };
const { protectedHeader } = await jose.jwtVerify(tokens.access_token, remote, wanted);
const set = await (await fetch(party.server.jwks_uri)).json();
for (const key of set.keys) {
  must(key.kid === (await jose.calculateJwkThumbprint(key)), `${key.kid} is no thumbprint (RFC 7638)`);
  must(key.use === 'sig' && !('d' in key) && !('p' in key), 'not a public signature key');
}
const at = tokens.access_token.length - 40;
const flipped = tokens.access_token[at] === 'A' ? 'B' : 'A';
const forged = tokens.access_token.slice(0, at) + flipped + tokens.access_token.slice(at + 1);
const refused = await jose.jwtVerify(forged, remote, wanted).then(() => false, () => true);
must(refused, 'a changed signature is good');
console.log(JSON.stringify({ alg: protectedHeader.alg, kid: protectedHeader.kid, published: set.keys.map((key) => key.kid) }));

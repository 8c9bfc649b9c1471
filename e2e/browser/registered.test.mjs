// openid-client as published: clients that register themselves, signed and encrypted responses, and keys
// that rotate.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import * as openid from 'openid-client';
import { stage } from './lib.mjs';
import { Person } from './person.mjs';
import { publish, serveTools, stopTools } from './tools.mjs';

const user = () => stage.users.plain.shift() ?? assert.fail('the stage has no more users');
const issuer = new URL(stage.issuer);
const checked = { execute: [openid.allowInsecureRequests, openid.enableNonRepudiationChecks] };
const redirect = 'https://charts.example/callback';

before(serveTools);
after(stopTools);

const rsa = { name: 'RSA-OAEP', hash: 'SHA-256', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
const curve = { name: 'ECDH', namedCurve: 'P-256' };
const signing = { name: 'ECDSA', namedCurve: 'P-256' };

// pair returns a key and what a client publishes of it.
async function pair(algorithm, uses, more) {
  const { privateKey, publicKey } = await crypto.subtle.generateKey(algorithm, true, uses);
  const { kty, n, e, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey);
  return { key: privateKey, kid: more.kid, jwk: { kty, n, e, crv, x, y, ...more } };
}
const signer = (kid) => pair(signing, ['sign', 'verify'], { kid, use: 'sig' });

const register = (metadata, auth, options) => openid.dynamicClientRegistration(issuer, { client_name: 'Charts', redirect_uris: [redirect],
  grant_types: ['authorization_code', 'refresh_token'], scope: 'openid email offline_access', ...metadata }, auth, { ...checked, ...options });

// begin returns the parameters of an authorization request and the checks of its response.
async function begin(more = {}) {
  const checks = { pkceCodeVerifier: openid.randomPKCECodeVerifier(), expectedState: openid.randomState(), expectedNonce: openid.randomNonce(), idTokenExpected: true };
  return { checks, parameters: {
    redirect_uri: redirect, scope: 'openid email offline_access', state: checks.expectedState, nonce: checks.expectedNonce,
    code_challenge: await openid.calculatePKCECodeChallenge(checks.pkceCodeVerifier), code_challenge_method: 'S256', ...more,
  } };
}

const refused = (error) => (e) => {
  assert.equal(e.error ?? e.cause?.[0]?.parameters?.error, error, e);
  return true;
};

for (const [alg, enc, algorithm, uses] of [['RSA-OAEP-256', 'A256GCM', rsa, ['encrypt', 'decrypt']], ['ECDH-ES+A128KW', 'A128CBC-HS256', curve, ['deriveBits']]]) {
  test(`openid-client registers for responses that are encrypted with ${alg}`, async () => {
    const own = await pair(algorithm, uses, { kid: 'enc', use: 'enc', alg });
    const config = await register({ jwks: { keys: [own.jwk] }, authorization_signed_response_alg: 'ES256', id_token_signed_response_alg: 'ES256', userinfo_signed_response_alg: 'ES256',
      id_token_encrypted_response_alg: alg, id_token_encrypted_response_enc: enc, userinfo_encrypted_response_alg: alg, userinfo_encrypted_response_enc: enc,
      authorization_encrypted_response_alg: alg, authorization_encrypted_response_enc: enc,
      post_logout_redirect_uris: [`${redirect}/bye`] }, openid.ClientSecretBasic());
    openid.useJwtResponseMode(config);
    openid.enableDecryptingResponses(config, [enc], { key: own.key, kid: 'enc', alg });
    const { checks, parameters } = await begin();
    const who = user();
    const person = new Person();
    const arrived = await person.signIn(openid.buildAuthorizationUrl(config, parameters), who, { consents: true });
    assert.deepEqual([...arrived.searchParams.keys()], ['response']);
    const tokens = await openid.authorizationCodeGrant(config, arrived, checks);
    const { sub } = tokens.claims();
    for (const token of [tokens.id_token, arrived.searchParams.get('response')]) assert.equal(token.split('.').length, 5); // a JWE
    assert.equal((await openid.fetchUserInfo(config, tokens.access_token, sub)).email, who.email);
    const next = await openid.refreshTokenGrant(config, tokens.refresh_token);
    assert.equal(next.claims().sub, sub);
    const other = await openid.discovery(issuer, config.clientMetadata().client_id, { ...config.clientMetadata() }, openid.ClientSecretBasic(), checked);
    openid.enableDecryptingResponses(other, [enc], { key: (await pair(algorithm, uses, { kid: 'enc' })).key, kid: 'enc', alg });
    await assert.rejects(openid.fetchUserInfo(other, next.access_token, sub), openid.ClientError); // only the client can read it

    // Without a hint that the server can read, the person is asked.
    const state = openid.randomState();
    await person.open(openid.buildEndSessionUrl(config, { post_logout_redirect_uri: `${redirect}/bye`, state }));
    const left = await person.submit('logout-confirm');
    assert.equal(left?.href, `${redirect}/bye?state=${state}`, person.page);
  });
}

test('openid-client: the code and the ID token in one response', async () => {
  const config = await openid.discovery(issuer, 'hybrid', {}, openid.ClientSecretBasic(stage.secret), checked);
  openid.useCodeIdTokenResponseType(config);
  const { checks, parameters } = await begin({ redirect_uri: `${stage.clients.web.redirect}/hybrid` });
  const who = user();
  const person = new Person();
  const arrived = await person.signIn(openid.buildAuthorizationUrl(config, parameters), who);
  assert.deepEqual([arrived.search, new URLSearchParams(arrived.hash.slice(1)).has('code')], ['', true]);
  const tokens = await openid.authorizationCodeGrant(config, arrived, checks);
  assert.equal((await openid.fetchUserInfo(config, tokens.access_token, tokens.claims().sub)).email, who.email);
  const forged = new URL(arrived);
  const parts = new URLSearchParams(arrived.hash.slice(1));
  parts.set('code', `${parts.get('code')}x`);
  forged.hash = parts;
  await assert.rejects(openid.authorizationCodeGrant(config, forged, checks), openid.ClientError); // c_hash
  const left = await person.open(openid.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: `${stage.pages}/bye`, state: 'left' }));
  assert.equal(left?.href, `${stage.pages}/bye?state=left`, person.page);
});

test('openid-client: a client with the profile fapi2', async () => {
  const key = await crypto.subtle.importKey('jwk', { ...stage.clientKey, alg: undefined }, signing, false, ['sign']);
  const config = await openid.discovery(issuer, 'fapi', { authorization_signed_response_alg: 'ES256', id_token_signed_response_alg: 'ES256' },
    openid.PrivateKeyJwt({ key, kid: 'first' }), checked);
  openid.useJwtResponseMode(config);
  const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair());
  const { checks, parameters } = await begin({ redirect_uri: 'https://bank.example/callback' });
  const plain = await new Person().open(openid.buildAuthorizationUrl(config, parameters));
  await assert.rejects(openid.authorizationCodeGrant(config, plain, checks), refused('invalid_request')); // it was not pushed
  const who = user();
  const arrived = await new Person().signIn(await openid.buildAuthorizationUrlWithPAR(config, parameters, { DPoP }), who);
  const tokens = await openid.authorizationCodeGrant(config, arrived, checks, undefined, { DPoP });
  const { sub } = tokens.claims();
  assert.equal(tokens.token_type, 'dpop');
  assert.equal((await openid.fetchUserInfo(config, tokens.access_token, sub, { DPoP })).email, who.email);
  const next = await openid.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
  assert.equal(next.refresh_token ?? tokens.refresh_token, tokens.refresh_token); // it does not rotate
});

test('openid-client: a client replaces its keys, in its registration and at its address', async () => {
  const [first, second, third, fourth] = await Promise.all(['first', 'second', 'third', 'fourth'].map(signer));
  const config = await register({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [first.jwk] }, require_signed_request_object: true }, openid.PrivateKeyJwt(first));
  const registered = config.clientMetadata();
  const by = (key) => openid.discovery(issuer, registered.client_id, {}, openid.PrivateKeyJwt(key), checked);
  // What a key is good for: the assertion, and the request object.
  const push = async (auth, signature = auth) => {
    const c = await by(auth);
    const { checks, parameters } = await begin();
    const signed = await openid.buildAuthorizationUrlWithJAR(c, parameters, signature);
    return { c, checks, url: await openid.buildAuthorizationUrlWithPAR(c, signed.searchParams) };
  };
  const { c, checks, url } = await push(first);
  const tokens = await openid.authorizationCodeGrant(c, await new Person().signIn(url, user(), { consents: true }), checks);

  let token = registered.registration_access_token;
  const put = async (metadata) => {
    const kept = Object.fromEntries(Object.entries(registered).filter(([name]) => !/^registration_|^client_id_issued_at$|^client_secret/.test(name)));
    const answer = await fetch(registered.registration_client_uri, { method: 'PUT', headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ ...kept, jwks: undefined, ...metadata }) });
    const body = await answer.json();
    assert.equal(answer.status, 200, JSON.stringify(body));
    token = body.registration_access_token;
    return body;
  };
  await put({ jwks: { keys: [second.jwk] } });
  await assert.rejects(push(first), refused('invalid_client'));
  await assert.rejects(push(second, first), refused('invalid_request_object'));
  const renewed = await openid.refreshTokenGrant(await by(second), tokens.refresh_token); // its tokens stay
  assert.equal(renewed.claims().sub, tokens.claims().sub);

  publish('/jwks.json', { keys: [third.jwk] });
  assert.equal((await put({ jwks_uri: `${stage.tools}/jwks.json` })).jwks, undefined);
  await push(third);
  publish('/jwks.json', { keys: [fourth.jwk] }); // a key that the server has not seen is looked up
  await push(fourth);
  for (const old of [second, third]) await assert.rejects(push(old), refused('invalid_client'));
  assert.ok((await openid.refreshTokenGrant(await by(fourth), renewed.refresh_token)).access_token);
});

// openid-client as published, for clients with keys and certificates.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { request } from 'node:https';
import * as openid from 'openid-client';
import { stage } from './lib.mjs';
import { Person } from './person.mjs';

const users = [...stage.users.plain];
const take = () => users.shift() ?? assert.fail('the stage has no more users');
const redirect = (id) => `${stage.clients.web.redirect}/${id}`;

// presenting is a fetch that presents a certificate to the listener for certificates.
const presenting = (name) => (url, options) => {
  if (!String(url).startsWith(stage.mutual)) return fetch(url, options);
  return new Promise((done, fail) => {
    const { body, headers, method } = options;
    const r = request(url, { method, headers: Object.fromEntries(new Headers(headers)), ca: stage.ca, agent: false, ...(name && stage.certs[name]) }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () => done(new Response(Buffer.concat(parts), { status: answer.statusCode, headers: Object.entries(answer.headers).map(([k, v]) => [k, String(v)]) })));
    });
    r.on('error', fail);
    r.end(body === undefined || body === null ? undefined : String(body));
  });
};

const discover = (id, auth, metadata, name) => openid.discovery(new URL(stage.issuer), id, metadata, auth, {
  execute: [openid.allowInsecureRequests, openid.enableNonRepudiationChecks], ...(name !== undefined && { [openid.customFetch]: presenting(name) }),
});
const mutual = (id, name, auth = openid.TlsClientAuth()) => discover(id, auth, { use_mtls_endpoint_aliases: true }, name);

// begin returns an authorization request and the checks of its response.
async function begin(config, id) {
  const checks = { pkceCodeVerifier: openid.randomPKCECodeVerifier(), expectedState: openid.randomState(), expectedNonce: openid.randomNonce(), idTokenExpected: true };
  const url = openid.buildAuthorizationUrl(config, {
    redirect_uri: redirect(id), scope: 'openid email offline_access', state: checks.expectedState, nonce: checks.expectedNonce,
    code_challenge: await openid.calculatePKCECodeChallenge(checks.pkceCodeVerifier), code_challenge_method: 'S256',
  });
  return { url, checks };
}

const refused = (error) => (e) => {
  assert.equal(e.error ?? e.cause?.[0]?.parameters?.error, error, e);
  return true;
};

const algorithms = {
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, PS256: { name: 'RSA-PSS', hash: 'SHA-256' }, ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  Ed25519: { name: 'Ed25519' }, EdDSA: { name: 'Ed25519' },
};

for (const [alg, algorithm] of Object.entries(algorithms)) {
  test(`openid-client, private_key_jwt with ${alg}`, async () => {
    const key = await crypto.subtle.importKey('jwk', { ...stage.keys[alg], alg: undefined }, algorithm, false, ['sign']);
    const named = { [openid.modifyAssertion]: (header) => { header.alg = alg; } }; // the library knows one name of Ed25519
    const id = `jwt-${alg}`;
    const config = await discover(id, openid.PrivateKeyJwt({ key, kid: 'first' }, named));
    const machine = await openid.clientCredentialsGrant(config, { scope: 'reports' });
    assert.equal((await openid.tokenIntrospection(config, machine.access_token)).active, true);
    await openid.tokenRevocation(config, machine.access_token);
    assert.equal((await openid.tokenIntrospection(config, machine.access_token)).active, false);

    const { url, checks } = await begin(config, id);
    const signed = await openid.buildAuthorizationUrlWithJAR(config, url.searchParams, { key, kid: 'first' }, named);
    const pushed = await openid.buildAuthorizationUrlWithPAR(config, signed.searchParams);
    const user = take();
    const tokens = await openid.authorizationCodeGrant(config, await new Person().signIn(pushed, user), checks);
    assert.equal((await openid.fetchUserInfo(config, tokens.access_token, tokens.claims().sub)).email, user.email);
    assert.ok((await openid.refreshTokenGrant(config, tokens.refresh_token)).access_token);

    const { privateKey } = await crypto.subtle.generateKey({ ...algorithm, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) }, false, ['sign', 'verify']);
    const thief = await discover(id, openid.PrivateKeyJwt({ key: privateKey, kid: 'first' }, named));
    await assert.rejects(openid.clientCredentialsGrant(thief, { scope: 'reports' }), refused('invalid_client'));
    const late = { [openid.modifyAssertion]: (header, claims) => { header.alg = alg; claims.exp = claims.iat - 3600; } };
    await assert.rejects(openid.clientCredentialsGrant(await discover(id, openid.PrivateKeyJwt({ key, kid: 'first' }, late)), { scope: 'reports' }), refused('invalid_client'));
  });
}

test('openid-client, client_secret_jwt', async () => {
  const id = 'jwt-HS256';
  const { secret } = stage;
  const config = await discover(id, openid.ClientSecretJwt(secret));
  const metadata = config.serverMetadata();
  for (const endpoint of ['token', 'introspection', 'revocation']) {
    assert.ok(metadata[`${endpoint}_endpoint_auth_methods_supported`].includes('client_secret_jwt'), endpoint);
    assert.ok(metadata[`${endpoint}_endpoint_auth_signing_alg_values_supported`].includes('HS256'), endpoint);
  }
  const machine = await openid.clientCredentialsGrant(config, { scope: 'reports' });
  assert.equal((await openid.tokenIntrospection(config, machine.access_token)).active, true);
  await openid.tokenRevocation(config, machine.access_token);
  assert.equal((await openid.tokenIntrospection(config, machine.access_token)).active, false);
  assert.ok((await openid.initiateDeviceAuthorization(config, { scope: 'openid' })).user_code);

  const { url, checks } = await begin(config, id);
  const pushed = await openid.buildAuthorizationUrlWithPAR(config, url.searchParams);
  const user = take();
  const tokens = await openid.authorizationCodeGrant(config, await new Person().signIn(pushed, user), checks);
  assert.equal((await openid.fetchUserInfo(config, tokens.access_token, tokens.claims().sub)).email, user.email);
  assert.ok((await openid.refreshTokenGrant(config, tokens.refresh_token)).access_token);

  const changed = (change) => openid.ClientSecretJwt(secret, { [openid.modifyAssertion]: change });
  const again = await discover(id, changed((header, claims) => { claims.jti = 'the same'; }));
  await openid.clientCredentialsGrant(again, { scope: 'reports' });
  for (const wrong of [changed((header, claims) => { claims.jti = 'the same'; }), changed((header) => { header.alg = 'HS512'; }), changed((header) => { header.alg = 'none'; }),
    changed((header, claims) => { claims.exp = claims.iat - 3600; }), changed((header, claims) => { claims.aud = 'https://elsewhere.example'; }),
    openid.ClientSecretJwt(`${secret}x`), openid.ClientSecretPost(secret), openid.None()]) {
    await assert.rejects(openid.clientCredentialsGrant(await discover(id, wrong), { scope: 'reports' }), refused('invalid_client'));
  }
  await assert.rejects(openid.clientCredentialsGrant(await discover(id, openid.ClientSecretBasic(secret)), { scope: 'reports' }), { status: 401 });
});

test('openid-client, tls_client_auth and tokens that are bound to the certificate', async () => {
  const config = await mutual('ledger', 'ledger');
  const machine = await openid.clientCredentialsGrant(config, { scope: 'reports' });
  const seen = await openid.tokenIntrospection(config, machine.access_token);
  assert.deepEqual([seen.active, Object.keys(seen.cnf)], [true, ['x5t#S256']]);
  for (const name of ['other', 'forged', 'late', 'self', '']) {
    await assert.rejects(openid.clientCredentialsGrant(await mutual('ledger', name), { scope: 'reports' }), refused('invalid_client'));
  }

  const { url, checks } = await begin(config, 'ledger');
  const user = take();
  const arrived = await new Person().signIn(await openid.buildAuthorizationUrlWithPAR(config, url.searchParams), user);
  const tokens = await openid.authorizationCodeGrant(config, arrived, checks);
  const { sub } = tokens.claims();
  assert.equal((await openid.fetchUserInfo(config, tokens.access_token, sub)).email, user.email);
  for (const thief of [await mutual('ledger', 'other'), await mutual('ledger', ''), await discover('ledger', openid.None())]) {
    await assert.rejects(openid.fetchUserInfo(thief, tokens.access_token, sub), refused('invalid_token'));
  }
  const next = await openid.refreshTokenGrant(config, tokens.refresh_token);
  assert.equal((await openid.fetchUserInfo(config, next.access_token, sub)).email, user.email);
  await openid.tokenRevocation(config, next.refresh_token);
  await assert.rejects(openid.fetchUserInfo(config, next.access_token, sub), refused('invalid_token'));
});

test('openid-client, self_signed_tls_client_auth', async () => {
  const config = await mutual('self', 'self');
  const tokens = await openid.clientCredentialsGrant(config, { scope: 'reports' });
  const seen = await openid.tokenIntrospection(config, tokens.access_token);
  assert.deepEqual([seen.active, seen.cnf], [true, undefined]); // the client did not ask for bound tokens
  for (const name of ['ledger', 'forged', '']) {
    await assert.rejects(openid.clientCredentialsGrant(await mutual('self', name), { scope: 'reports' }), refused('invalid_client'));
  }
});

test('openid-client, a public client with bound tokens', async () => {
  const config = await mutual('phone', 'self', openid.None());
  const { url, checks } = await begin(config, 'phone');
  const user = take();
  const arrived = await new Person().signIn(url, user);
  await assert.rejects(openid.authorizationCodeGrant(await mutual('phone', '', openid.None()), arrived, checks), refused('invalid_request'));
  const tokens = await openid.authorizationCodeGrant(config, arrived, checks);
  assert.equal((await openid.fetchUserInfo(config, tokens.access_token, tokens.claims().sub)).email, user.email);
  await assert.rejects(openid.refreshTokenGrant(await mutual('phone', 'other', openid.None()), tokens.refresh_token), refused('invalid_grant'));
  assert.ok((await openid.refreshTokenGrant(config, tokens.refresh_token)).access_token);
});

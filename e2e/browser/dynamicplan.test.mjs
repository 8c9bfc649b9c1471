// What the OpenID Foundation's suite asks of dynamic registration, a test for each module of its plan, by
// its name. Keys that rotate are in registered.test.mjs, those of the server in keys_test.go.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { SignJWT, UnsecuredJWT, exportJWK, generateKeyPair, jwtVerify } from 'jose';
import * as openid from 'openid-client';
import { accessible, closeBrowser, stage, visit } from './lib.mjs';
import { Person } from './person.mjs';
import { keys, publish, serveTools, stopTools } from './tools.mjs';

before(serveTools);
after(async () => {
  stopTools();
  await closeBrowser();
});

const user = () => stage.users.plain.shift() ?? assert.fail('the stage has no more users');
const redirect = 'https://rp.example/callback';
const metadata = await (await fetch(`${stage.issuer}/.well-known/openid-configuration`)).json();

// ask registers a client and returns status and body; register returns a client.
async function ask(fields) {
  const answer = await fetch(metadata.registration_endpoint, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${stage.initial}` },
    body: JSON.stringify({ client_name: 'Relying party', redirect_uris: [redirect], ...fields }) });
  return { status: answer.status, body: await answer.json() };
}
async function register(fields) {
  const { status, body } = await ask(fields);
  assert.equal(status, 201, JSON.stringify(body));
  return body;
}

// login is a request of a client, and what it does with the response.
async function login(client, more = {}, person = new Person()) {
  const config = await openid.discovery(new URL(stage.issuer), client.client_id, client, openid.ClientSecretBasic(client.client_secret), {
    execute: [openid.allowInsecureRequests, openid.enableNonRepudiationChecks],
  });
  const checks = { pkceCodeVerifier: openid.randomPKCECodeVerifier(), expectedState: openid.randomState(), expectedNonce: openid.randomNonce(), idTokenExpected: true };
  const parameters = { redirect_uri: redirect, scope: 'openid email', state: checks.expectedState, nonce: checks.expectedNonce,
    code_challenge: await openid.calculatePKCECodeChallenge(checks.pkceCodeVerifier), code_challenge_method: 'S256', ...more };
  const url = openid.buildAuthorizationUrl(config, JSON.parse(JSON.stringify(parameters)));
  return { config, checks, parameters, url, through: async (address = url, who = user()) => {
    const arrived = await person.signIn(address, who, { consents: true });
    return { arrived, tokens: await openid.authorizationCodeGrant(config, arrived, checks) };
  } };
}

// shows opens a request that leads to a page of the server, and nowhere else.
async function shows(address, what) {
  const person = new Person();
  assert.equal(await person.open(address), undefined);
  assert.match(person.page, what);
}

test('oidcc-discovery-endpoint-verification', () => {
  for (const name of ['authorization_endpoint', 'token_endpoint', 'userinfo_endpoint', 'jwks_uri', 'registration_endpoint']) {
    assert.equal(new URL(metadata[name]).origin, stage.issuer, name);
  }
  assert.equal(metadata.issuer, stage.issuer);
  for (const [name, value] of [['response_types_supported', 'code'], ['subject_types_supported', 'public'], ['subject_types_supported', 'pairwise'], ['id_token_signing_alg_values_supported', 'RS256'],
    ['scopes_supported', 'openid'], ['claims_supported', 'email'], ['grant_types_supported', 'authorization_code'], ['token_endpoint_auth_methods_supported', 'private_key_jwt'], ['response_modes_supported', 'form_post']]) {
    assert.ok(metadata[name].includes(value), `${name}: ${metadata[name]}`);
  }
  assert.deepEqual([metadata.request_parameter_supported, metadata.request_uri_parameter_supported, metadata.require_request_uri_registration, metadata.claims_parameter_supported], [true, true, true, true]);
});

test('oidcc-ensure-redirect-uri-in-authorization-request', async () => {
  const { url } = await login(await register(), { redirect_uri: undefined });
  url.searchParams.delete('redirect_uri');
  await shows(url, /redirect_uri/);
});

test('oidcc-ensure-registered-redirect-uri', async () => {
  const { url } = await login(await register(), { redirect_uri: 'https://rp.example/another' });
  await shows(url, /redirect_uri/);
});

test('oidcc-redirect-uri-query-OK, -query-mismatch, -query-added', async () => {
  const kept = `${redirect}?dummy1=lorem&dummy2=ipsum`;
  const client = await register({ redirect_uris: [kept] });
  const { url: allowed, checks } = await login(client, { redirect_uri: kept });
  const arrived = await new Person().signIn(allowed, user(), { consents: true });
  assert.ok(arrived.href.startsWith(`${kept}&`), arrived.href);
  const answer = await fetch(metadata.token_endpoint, { method: 'POST', headers: { authorization: `Basic ${btoa(`${client.client_id}:${client.client_secret}`)}` },
    body: new URLSearchParams({ grant_type: 'authorization_code', code: arrived.searchParams.get('code'), redirect_uri: kept, code_verifier: checks.pkceCodeVerifier }) });
  assert.equal(answer.status, 200);
  for (const other of [`${redirect}?dummy1=lorem&dummy2=other`, `${kept}&more=1`, redirect]) {
    const { url } = await login(client, { redirect_uri: other });
    await shows(url, /redirect_uri/);
  }
});

test('oidcc-redirect-uri-regfrag', async () => {
  const { status, body } = await ask({ redirect_uris: [`${redirect}#foo=bar`] });
  assert.deepEqual([status, body.error], [400, 'invalid_redirect_uri']);
});

test('oidcc-userinfo-rs256', async () => {
  const client = await register({ userinfo_signed_response_alg: 'RS256' });
  const { tokens } = await (await login(client)).through();
  const answer = await fetch(metadata.userinfo_endpoint, { headers: { authorization: `Bearer ${tokens.access_token}` } });
  assert.match(answer.headers.get('content-type'), /^application\/jwt/);
  const { payload } = await jwtVerify(await answer.text(), keys, { issuer: stage.issuer, audience: client.client_id, algorithms: ['RS256'] });
  assert.equal(payload.sub, tokens.claims().sub);
});

test('oidcc-idtoken-unsigned', async () => {
  const { status, body } = await ask({ id_token_signed_response_alg: 'none' });
  assert.deepEqual([status, body.error], [400, 'invalid_client_metadata']);
});

test('oidcc-idtoken-rs256', async () => {
  const { tokens } = await (await login(await register({ id_token_signed_response_alg: 'RS256' }))).through();
  assert.equal((await jwtVerify(tokens.id_token, keys)).protectedHeader.alg, 'RS256');
});

test('oidcc-registration-logo-uri', () => visit({ viewport: { width: 320, height: 700 } }, async (page) => {
  const logo = 'https://rp.example/logo.svg';
  await page.route(logo, (route) => route.fulfill({ contentType: 'image/svg+xml', body: '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><rect width="40" height="40" fill="teal"/></svg>' }));
  const { url } = await login(await register({ logo_uri: logo, policy_uri: 'https://rp.example/policy', tos_uri: 'https://rp.example/tos' }));
  await page.goto(url.href);
  const shown = page.locator(`img[src="${logo}"]`);
  await shown.waitFor();
  assert.ok(await shown.evaluate((image) => image.decode().then(() => image.naturalWidth > 0)));
  await accessible(page);
}));

for (const [module, member] of [['oidcc-registration-policy-uri', 'policy_uri'], ['oidcc-registration-tos-uri', 'tos_uri']]) {
  test(module, async () => {
    const { url } = await login(await register({ [member]: `https://rp.example/${member}` }));
    const person = new Person();
    await person.open(url);
    assert.ok(person.page.includes(`href="https://rp.example/${member}"`), person.page);
    const who = user();
    await person.submit('login-submit', { username: who.username, password: who.password });
    assert.equal(person.url.pathname, '/consent');
    assert.ok(person.page.includes(`href="https://rp.example/${member}"`), person.page);
  });
}

test('oidcc-registration-jwks-uri', async () => {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
  publish('/rp/jwks.json', { keys: [{ ...await exportJWK(publicKey), kid: 'rp', use: 'sig' }] });
  const client = await register({ jwks_uri: `${stage.tools}/rp/jwks.json`, token_endpoint_auth_method: 'private_key_jwt' });
  const { checks, url } = await login(client);
  const config = await openid.discovery(new URL(stage.issuer), client.client_id, client, openid.PrivateKeyJwt({ key: privateKey, kid: 'rp' }), { execute: [openid.allowInsecureRequests] });
  const arrived = await new Person().signIn(url, user(), { consents: true });
  assert.ok((await openid.authorizationCodeGrant(config, arrived, checks)).claims().sub);
});

test('oidcc-registration-sector-uri and -sector-bad', async () => {
  const hosts = [redirect, 'https://other.example/callback'];
  const fields = { redirect_uris: hosts, subject_type: 'pairwise', sector_identifier_uri: `${stage.tools}/sector.json` };
  publish('/sector-bad.json', [redirect]);
  const bad = await ask({ ...fields, sector_identifier_uri: `${stage.tools}/sector-bad.json` });
  assert.deepEqual([bad.status, bad.body.error], [400, 'invalid_client_metadata']);
  publish('/sector.json', hosts);
  const client = await register(fields);
  const who = user();
  const subject = async (c, uri) => (await (await login(c, { redirect_uri: uri })).through(undefined, who)).tokens.claims().sub;
  const subjects = [await subject(client, hosts[0]), await subject(client, hosts[1]), await subject(await register(), redirect)];
  assert.equal(subjects[0], subjects[1]);
  assert.notEqual(subjects[0], subjects[2]);
});

test('oidcc-request-uri-signed-rs256, -unsigned', async () => {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
  const at = ['unsigned', 'signed'].map((name) => `${stage.tools}/${name}.jwt`);
  const client = await register({ request_uris: at, request_object_signing_alg: 'RS256', jwks: { keys: [{ ...await exportJWK(publicKey), kid: 'rp', use: 'sig' }] } });
  const { parameters, through, checks } = await login(client);
  const inside = { ...parameters, client_id: client.client_id, response_type: 'code', iss: client.client_id, aud: stage.issuer };
  const by = (uri) => `${metadata.authorization_endpoint}?${new URLSearchParams({ client_id: client.client_id, response_type: 'code', scope: 'openid', redirect_uri: redirect, request_uri: uri })}`;
  publish('/unsigned.jwt', new UnsecuredJWT(inside).setIssuedAt().setExpirationTime('5m').encode());
  const refused = await new Person().open(by(at[0]));
  assert.equal(refused.searchParams.get('error'), 'invalid_request_object');
  publish('/signed.jwt', await new SignJWT(inside).setProtectedHeader({ alg: 'RS256', kid: 'rp', typ: 'oauth-authz-req+jwt' }).setIssuedAt().setExpirationTime('5m').sign(privateKey));
  const { arrived } = await through(by(at[1]).replace(encodeURIComponent(redirect), encodeURIComponent('https://rp.example/another'))); // as oidcc-ensure-request-object-with-redirect-uri
  assert.equal(arrived.searchParams.get('state'), checks.expectedState); // of the object
});

test('oidcc-3rdparty-init-login-registration, -invalid-registration', async () => {
  const initiate = 'https://rp.example/begin?from=here';
  const client = await register({ initiate_login_uri: initiate });
  const read = await fetch(client.registration_client_uri, { headers: { authorization: `Bearer ${client.registration_access_token}` } });
  assert.deepEqual([client.initiate_login_uri, read.status, (await read.json()).initiate_login_uri], [initiate, 200, initiate]);
  const { status, body } = await ask({ initiate_login_uri: 'http://rp.example/begin' });
  assert.deepEqual([status, body.error], [400, 'invalid_client_metadata']);
  await shows(new URL(`/logged-out?client_id=${client.client_id}`, stage.issuer), new RegExp(`href="https://rp.example/begin[^"]*iss=${encodeURIComponent(stage.issuer)}"`));
});

test('oidcc-ensure-client-assertion-with-iss-aud-succeeds, oidcc-refresh-token', async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const client = await register({ token_endpoint_auth_method: 'private_key_jwt', grant_types: ['authorization_code', 'refresh_token'], jwks: { keys: [{ ...await exportJWK(publicKey), kid: 'rp', use: 'sig' }] } });
  const { checks, url } = await login(client, { scope: 'openid offline_access', prompt: 'consent' });
  const config = await openid.discovery(new URL(stage.issuer), client.client_id, client, openid.PrivateKeyJwt({ key: privateKey, kid: 'rp' }), { execute: [openid.allowInsecureRequests] });
  const tokens = await openid.authorizationCodeGrant(config, await new Person().signIn(url, user(), { consents: true }), checks);
  const [old, next] = [tokens, await openid.refreshTokenGrant(config, tokens.refresh_token)].map((made) => made.claims());
  for (const name of ['iss', 'sub', 'aud', 'azp', 'auth_time']) assert.deepEqual(next[name], old[name], name);
  assert.ok(next.iat >= old.iat);
});

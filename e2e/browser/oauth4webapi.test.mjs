// oauth4webapi as published: the functions under other libraries, which leave no check to them.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import * as oauth from 'oauth4webapi';
import { stage } from './lib.mjs';
import { Person, passcode } from './person.mjs';

const user = () => stage.users.plain.shift() ?? assert.fail('the stage has no more users');
const insecure = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(stage.issuer);
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure));

// begin returns the parameters of an authorization request and what its response is checked with.
async function begin(client, redirect, more = {}) {
  const kept = { verifier: oauth.generateRandomCodeVerifier(), state: oauth.generateRandomState(), nonce: oauth.generateRandomNonce() };
  const parameters = {
    client_id: client.client_id, redirect_uri: redirect, response_type: 'code', scope: 'openid email offline_access', state: kept.state, nonce: kept.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(kept.verifier), code_challenge_method: 'S256', ...more,
  };
  return { kept, parameters };
}

const address = (parameters) => `${as.authorization_endpoint}?${new URLSearchParams(parameters)}`;

// bringing is an object for requests with proofs. A server that requires its nonce refuses the first
// proof, and the library has kept the nonce for the second.
function bringing(DPoP) {
  const asked = { nonces: 0 };
  return { asked, options: { DPoP, ...insecure }, async send(request, read) {
    try {
      return await read(await request());
    } catch (e) {
      if (!oauth.isDPoPNonceError(e)) throw e;
      asked.nonces++;
      return read(await request());
    }
  } };
}

test('oauth4webapi: a client that registers, signs everything and has everything signed', async () => {
  const keys = await oauth.generateKeyPair('ES256', { extractable: true });
  const key = { key: keys.privateKey, kid: 'first' };
  const redirect = 'https://charts.example/callback';
  const api = 'https://api.example/orders';
  const client = await oauth.processDynamicClientRegistrationResponse(await oauth.dynamicClientRegistrationRequest(as, {
    client_name: 'Charts', redirect_uris: [redirect], grant_types: ['authorization_code', 'refresh_token'], token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [{ ...await crypto.subtle.exportKey('jwk', keys.publicKey), kid: 'first', use: 'sig' }] }, scope: 'openid email offline_access',
    require_signed_request_object: true, require_pushed_authorization_requests: true, dpop_bound_access_tokens: true,
    id_token_signed_response_alg: 'ES256', userinfo_signed_response_alg: 'ES256', introspection_signed_response_alg: 'ES256', authorization_signed_response_alg: 'ES256',
  }, insecure));
  assert.deepEqual([client.dpop_bound_access_tokens, client.client_secret], [true, undefined]);
  const auth = oauth.PrivateKeyJwt(key);
  const proofs = bringing(oauth.DPoP(client, await oauth.generateKeyPair('ES256')));
  const { options, send } = proofs;
  const signed = (response) => oauth.validateApplicationLevelSignature(as, response, insecure);

  const { kept, parameters } = await begin(client, redirect, { response_mode: 'jwt', resource: api });
  const push = async () => oauth.pushedAuthorizationRequest(as, client, auth,
    { client_id: client.client_id, request: await oauth.issueRequestObject(as, client, parameters, key) }, options);
  const pushed = await send(push, (response) => oauth.processPushedAuthorizationResponse(as, client, response));
  assert.equal(proofs.asked.nonces, 1);
  const who = user();
  const person = new Person();
  const arrived = await person.signIn(address({ client_id: client.client_id, request_uri: pushed.request_uri }), who, { consents: true });
  assert.deepEqual([...arrived.searchParams.keys()], ['response']);
  await assert.rejects(oauth.validateJwtAuthResponse({ ...as, issuer: 'https://elsewhere.example' }, client, arrived, kept.state, insecure));
  await assert.rejects(oauth.validateJwtAuthResponse(as, { ...client, client_id: 'another' }, arrived, kept.state, insecure));
  const answer = await oauth.validateJwtAuthResponse(as, client, arrived, kept.state, insecure);

  const redeem = (proved) => oauth.authorizationCodeGrantRequest(as, client, auth, answer, redirect, kept.verifier, { resource: api, ...proved });
  const thief = bringing(oauth.DPoP(client, await oauth.generateKeyPair('ES256')));
  const read = (response) => oauth.processAuthorizationCodeResponse(as, client, response, { expectedNonce: kept.nonce, requireIdToken: true });
  await assert.rejects(thief.send(() => redeem(thief.options), read), { error: 'invalid_grant' }); // the proof of the push bound the code
  const tokens = await send(() => redeem(options), async (response) => {
    const found = await read(response);
    await signed(response);
    return found;
  });
  const { sub } = oauth.getValidatedIdTokenClaims(tokens);
  assert.deepEqual([tokens.token_type, tokens.authorization_details], ['dpop', undefined]);

  // The resource server that the token is for.
  const call = (token, proved) => oauth.protectedResourceRequest(token, 'GET', new URL(api), undefined, undefined, {
    ...proved, [oauth.customFetch]: async (url, { method, headers }) => Response.json(await oauth.validateJwtAccessToken(as, new Request(url, { method, headers }), api, insecure)),
  });
  const seen = await (await call(tokens.access_token, options)).json();
  assert.deepEqual([seen.sub, seen.client_id, seen.iss, Object.keys(seen.cnf)], [sub, client.client_id, stage.issuer, ['jkt']]);
  await assert.rejects(call(tokens.access_token, thief.options));

  const introspect = async (token) => {
    const response = await oauth.introspectionRequest(as, client, auth, token, { requestJwtResponse: true, ...insecure });
    const found = await oauth.processIntrospectionResponse(as, client, response);
    await signed(response);
    return found;
  };
  const state = await introspect(tokens.access_token);
  assert.deepEqual([state.active, state.client_id, state.cnf.jkt], [true, client.client_id, seen.cnf.jkt]);

  const refresh = (token, more = {}) => send(() => oauth.refreshTokenGrantRequest(as, client, auth, token, { additionalParameters: more, ...options }),
    (response) => oauth.processRefreshTokenResponse(as, client, response));
  await assert.rejects(refresh(tokens.refresh_token, { resource: 'https://elsewhere.example' }), { error: 'invalid_target' });
  const next = await refresh(tokens.refresh_token);
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, next.refresh_token, insecure));
  assert.equal((await introspect(next.access_token)).active, false);
  await assert.rejects(refresh(next.refresh_token), { error: 'invalid_grant' });

  // A second login, without a resource: its token is good for userinfo, whose answer is signed.
  const second = await begin(client, redirect, { response_mode: 'jwt' });
  const uri = await send(async () => oauth.pushedAuthorizationRequest(as, client, auth,
    { client_id: client.client_id, request: await oauth.issueRequestObject(as, client, second.parameters, key) }, options),
  (response) => oauth.processPushedAuthorizationResponse(as, client, response));
  const back = await person.signIn(address({ client_id: client.client_id, request_uri: uri.request_uri }), who, { consents: true });
  const code = await oauth.validateJwtAuthResponse(as, client, back, second.kept.state, insecure);
  const own = await send(() => oauth.authorizationCodeGrantRequest(as, client, auth, code, redirect, second.kept.verifier, options),
    (response) => oauth.processAuthorizationCodeResponse(as, client, response, { expectedNonce: second.kept.nonce }));
  const info = await send(() => oauth.userInfoRequest(as, client, own.access_token, options), async (response) => {
    const found = await oauth.processUserInfoResponse(as, client, sub, response);
    await signed(response);
    return found;
  });
  assert.equal(info.email, who.email);
});

test('oauth4webapi: a client with a secret, and responses that are not for it', async () => {
  const client = { client_id: 'web' };
  const { redirect } = stage.clients.web;
  const auth = oauth.ClientSecretBasic(stage.secret);
  const { kept, parameters } = await begin(client, redirect, { max_age: '600' });
  const who = user();
  const person = new Person();
  const arrived = await person.signIn(address(parameters), who);
  // RFC 9207: with the issuer of another server, or none, the code goes nowhere.
  for (const iss of ['https://elsewhere.example', undefined]) {
    const altered = new URL(arrived);
    altered.searchParams.delete('iss');
    if (iss) altered.searchParams.set('iss', iss);
    assert.throws(() => oauth.validateAuthResponse(as, client, altered, kept.state), oauth.OperationProcessingError);
  }
  const answer = oauth.validateAuthResponse(as, client, arrived, kept.state);
  const response = await oauth.authorizationCodeGrantRequest(as, client, auth, answer, redirect, kept.verifier, insecure);
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, { expectedNonce: kept.nonce, maxAge: 600, requireIdToken: true });
  await oauth.validateApplicationLevelSignature(as, response, insecure);
  const { sub } = oauth.getValidatedIdTokenClaims(tokens);
  assert.equal((await oauth.processUserInfoResponse(as, client, sub, await oauth.userInfoRequest(as, client, tokens.access_token, insecure))).email, who.email);
  const state = await oauth.processIntrospectionResponse(as, client, await oauth.introspectionRequest(as, client, auth, tokens.access_token, insecure));
  assert.deepEqual([state.active, state.sub], [true, sub]);

  const denied = await begin(client, redirect, { prompt: 'login' });
  await person.open(address(denied.parameters));
  const cancelled = await person.submit('cancel');
  assert.throws(() => oauth.validateAuthResponse(as, client, cancelled, denied.kept.state), { error: 'access_denied' });
});

test('oauth4webapi: a device that a person allows', async () => {
  const client = { client_id: 'tv' };
  const ask = async () => oauth.processDeviceAuthorizationResponse(as, client, await oauth.deviceAuthorizationRequest(as, client, oauth.None(), { scope: 'openid email' }, insecure));
  const poll = async ({ device_code: code }) => oauth.processDeviceCodeResponse(as, client, await oauth.deviceCodeGrantRequest(as, client, oauth.None(), code, insecure));
  const [asked, waits] = [await ask(), await ask()];
  await assert.rejects(poll(waits), { error: 'authorization_pending' });
  await assert.rejects(poll(waits), { error: 'slow_down' });
  const who = stage.users.totp.shift();
  const person = new Person();
  await person.open(asked.verification_uri_complete);
  await person.submit('device-submit');
  await person.submit('login-submit', { username: who.username, password: who.password });
  await person.submit('mfa-submit', { passcode: passcode(who) });
  await person.submit('consent-allow');
  const tokens = await poll(asked);
  assert.equal(oauth.getValidatedIdTokenClaims(tokens).acr, 'aal2');
});

test('oauth4webapi: the metadata of a protected resource leads to the server', async () => {
  const resource = new URL(as.userinfo_endpoint);
  const challenged = await fetch(resource).then((response) => response.headers.get('www-authenticate'));
  const named = /resource_metadata="([^"]+)"/.exec(challenged)[1];
  const response = await oauth.resourceDiscoveryRequest(resource, insecure);
  assert.equal(response.url, named);
  const found = await oauth.processResourceDiscoveryResponse(resource, response);
  assert.deepEqual(found.authorization_servers, [as.issuer]);
  const refused = await oauth.userInfoRequest(as, { client_id: 'web' }, 'no-token', insecure);
  await assert.rejects(oauth.processUserInfoResponse(as, { client_id: 'web' }, oauth.skipSubjectCheck, refused), (e) => {
    assert.deepEqual([e.cause[0].scheme, e.cause[0].parameters.error], ['bearer', 'invalid_token']);
    return true;
  });
});

// Independent client libraries as published: openid-client and AppAuth in Node.js,
// oidc-client-ts in pages of another origin.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as openid from 'openid-client';
import { closeBrowser, signIn, stage, visit, enter } from './lib.mjs';
import { AppAuth, NodeBasedHandler, NodeCrypto, NodeRequestor, browseWith } from './appauth.mjs';
import { Person, headless, passcode } from './person.mjs';
import { arrive, back, leave, servePages, stopPages } from './tab.mjs';

before(servePages);
after(async () => {
  await closeBrowser();
  stopPages();
});

const users = { totp: [...stage.users.totp], plain: [...stage.users.plain] };
const take = (kind) => users[kind].shift() ?? assert.fail(`the stage has no more users of kind ${kind}`);
const { clients, secret } = stage;

// --- openid-client ----------------------------------------------------------

const basic = openid.ClientSecretBasic(secret);
const post = openid.ClientSecretPost(secret);

// discover reads the metadata. Signatures of ID tokens are verified even though they come
// from the token endpoint.
const discover = (id, auth, metadata = {}) => openid.discovery(new URL(stage.issuer), id, metadata, auth, {
  execute: [openid.allowInsecureRequests, openid.enableNonRepudiationChecks],
});

// begin returns an authorization request and the checks of its response.
async function begin(config, client, extra = {}) {
  const checks = {
    pkceCodeVerifier: openid.randomPKCECodeVerifier(), expectedState: openid.randomState(), expectedNonce: openid.randomNonce(),
    maxAge: 600, idTokenExpected: true,
  };
  const url = openid.buildAuthorizationUrl(config, {
    redirect_uri: client.redirect, scope: 'openid profile email offline_access', state: checks.expectedState, nonce: checks.expectedNonce, max_age: '600',
    code_challenge: await openid.calculatePKCECodeChallenge(checks.pkceCodeVerifier), code_challenge_method: 'S256', ...extra,
  });
  return { url, checks };
}

const refused = (error) => (e) => {
  assert.equal(e.error ?? e.cause?.[0]?.parameters?.error, error, e);
  return true;
};
const active = async (config, token) => (await openid.tokenIntrospection(config, token)).active;

// life is everything an application does with its tokens, from code to revocation.
// Introspection needs a secret.
async function life(config, { url, checks, arrived, user, confidential }) {
  assert.equal(arrived.searchParams.get('iss'), stage.issuer);
  const tokens = await openid.authorizationCodeGrant(config, arrived, checks);
  const claims = tokens.claims();
  assert.equal(tokens.token_type, 'bearer');
  assert.deepEqual(tokens.scope.split(' ').sort(), ['email', 'offline_access', 'openid', 'profile']);
  const info = await openid.fetchUserInfo(config, tokens.access_token, claims.sub);
  assert.deepEqual([info.email, info.email_verified, info.given_name], [user.email, true, 'User']);

  const next = await openid.refreshTokenGrant(config, tokens.refresh_token);
  assert.notEqual(next.refresh_token, tokens.refresh_token);
  const again = next.claims();
  assert.deepEqual([again.sub, again.auth_time, again.sid, again.acr, again.amr], [claims.sub, claims.auth_time, claims.sid, claims.acr, claims.amr]);
  await openid.fetchUserInfo(config, next.access_token, claims.sub);

  if (confidential) {
    const token = await openid.tokenIntrospection(config, next.access_token, { token_type_hint: 'access_token' });
    assert.deepEqual([token.active, token.sub, token.client_id, token.acr], [true, claims.sub, url.searchParams.get('client_id'), claims.acr]);
    assert.equal(await active(config, next.refresh_token), true);
  }
  await openid.tokenRevocation(config, next.refresh_token, { token_type_hint: 'refresh_token' });
  if (confidential) assert.deepEqual([await active(config, next.refresh_token), await active(config, next.access_token)], [false, false]);
  await assert.rejects(openid.refreshTokenGrant(config, next.refresh_token), refused('invalid_grant'));
  await assert.rejects(openid.fetchUserInfo(config, next.access_token, claims.sub), refused('invalid_token'));
  return { tokens, claims };
}

// bye follows the end-session URL of a client.
async function bye(config, client, idToken, person) {
  const state = openid.randomState();
  const url = openid.buildEndSessionUrl(config, { id_token_hint: idToken, post_logout_redirect_uri: `${client.redirect}/bye`, state });
  const arrived = await person.open(url);
  assert.equal(arrived?.href, `${client.redirect}/bye?state=${state}`, person.page);
}

for (const [name, client, auth, metadata] of [
  ['client_secret_basic', clients.web, basic],
  ['client_secret_post', clients.post, post],
  ['ES256 and opaque access tokens', clients.fast, basic, { id_token_signed_response_alg: 'ES256' }],
  ['public', clients.spa, openid.None()],
]) {
  test(`openid-client, hosted pages: ${name}`, async () => {
    const config = await discover(client.id, auth, metadata);
    const person = new Person();
    const user = take('plain');
    const login = await begin(config, client);
    const arrived = await person.signIn(login.url, user);
    const { tokens, claims } = await life(config, { ...login, arrived, user, confidential: client !== clients.spa });
    assert.deepEqual([claims.acr, claims.amr], ['aal1', ['pwd']]);

    const silent = await begin(config, client, { prompt: 'none' });
    const second = await openid.authorizationCodeGrant(config, await person.open(silent.url), silent.checks);
    assert.equal(second.claims().sid, claims.sid);
    await bye(config, client, tokens.id_token, person);
    const gone = await begin(config, client, { prompt: 'none' });
    const left = await person.open(gone.url);
    await assert.rejects(openid.authorizationCodeGrant(config, left, gone.checks), refused('login_required'));
  });
}

test('openid-client, device: a person allows it in Chromium', () => visit({}, async (page) => {
  const config = await discover('tv', openid.None());
  assert.equal(config.serverMetadata().device_authorization_endpoint, `${stage.issuer}/device_authorization`);
  const asked = await openid.initiateDeviceAuthorization(config, { scope: 'openid email' });
  const polling = openid.pollDeviceAuthorizationGrant(config, asked);
  const user = take('totp');
  await page.goto(asked.verification_uri);
  await page.getByLabel('Code on the device').fill(asked.user_code.toLowerCase());
  await page.keyboard.press('Enter');
  await page.waitForSelector('#login-submit');
  await signIn(page, user);
  await enter(page, passcode(user), '#mfa-submit');
  await page.getByText('Allow this only if you started it yourself').waitFor();
  await page.getByRole('button', { name: 'Allow', exact: true }).click();
  await page.getByRole('heading', { name: 'Your device is connected' }).waitFor();
  const tokens = await polling;
  assert.deepEqual([tokens.claims().acr, tokens.claims().aud], ['aal2', 'tv']);
  assert.equal((await openid.fetchUserInfo(config, tokens.access_token, tokens.claims().sub)).email, user.email);

  const other = await openid.initiateDeviceAuthorization(config, { scope: 'openid' });
  const refusal = assert.rejects(openid.pollDeviceAuthorizationGrant(config, other), refused('access_denied'));
  await page.goto(other.verification_uri_complete);
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByRole('button', { name: 'Do not allow' }).click();
  await page.getByRole('heading', { name: 'The device was not connected' }).waitFor();
  await refusal;
}));

for (const [name, client, auth] of [
  ['client_secret_basic', clients.app, basic],
  ['public', clients.front, openid.None()],
]) {
  test(`openid-client, headless: ${name}`, async () => {
    const config = await discover(client.id, auth);
    const confidential = auth === basic;
    for (const [extra, user, acr, amr] of [
      [{}, take('plain'), 'aal1', ['pwd']],
      [{ acr_values: 'aal2' }, take('totp'), 'aal2', ['mfa', 'otp', 'pwd']],
    ]) {
      const login = await begin(config, client, extra);
      const arrived = await headless(login.url, user);
      const { tokens, claims } = await life(config, { ...login, arrived, user, confidential });
      assert.deepEqual([claims.acr, claims.amr], [acr, amr]);
      await bye(config, client, tokens.id_token, new Person());
    }
  });
}

test('openid-client: signed and pushed requests', async () => {
  const config = await discover(clients.signs.id, basic);
  const key = await crypto.subtle.importKey('jwk', stage.key, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
  const { url, checks } = await begin(config, clients.signs);
  await assert.rejects(openid.buildAuthorizationUrlWithPAR(config, url.searchParams), refused('invalid_request'));
  const signed = await openid.buildAuthorizationUrlWithJAR(config, url.searchParams, { key, kid: stage.key.kid });
  const pushed = await openid.buildAuthorizationUrlWithPAR(config, signed.searchParams);
  const user = take('plain');
  assert.equal((await fetch(pushed, { redirect: 'manual' })).status, 303); // another program was there first
  const tokens = await openid.authorizationCodeGrant(config, await new Person().signIn(pushed, user), checks);
  assert.equal(tokens.claims().email, user.email); // id_token_claims
  const again = await fetch(pushed);
  assert.deepEqual([again.status, /invalid_request_uri/.test(await again.text())], [400, true]);
});

test('openid-client: step-up, max_age and refusals', async () => {
  const config = await discover(clients.web.id, basic);
  const person = new Person();
  const user = take('totp');
  const first = await begin(config, clients.web);
  const one = (await openid.authorizationCodeGrant(config, await person.signIn(first.url, user), first.checks)).claims();
  const up = await begin(config, clients.web, { acr_values: 'aal2' });
  assert.equal(await person.open(up.url), undefined);
  assert.equal(person.url.pathname, '/mfa');
  const arrived = await person.submit('mfa-submit', { passcode: passcode(user) });
  const two = await openid.authorizationCodeGrant(config, arrived, up.checks);
  assert.deepEqual([one.acr, two.claims().acr, two.claims().sid], ['aal1', 'aal2', one.sid]);

  // A code works once; reuse revokes its tokens (RFC 6749 section 4.1.2).
  assert.equal(await active(config, two.access_token), true);
  await assert.rejects(openid.authorizationCodeGrant(config, arrived, up.checks), refused('invalid_grant'));
  assert.equal(await active(config, two.access_token), false);

  const third = await begin(config, clients.web, { prompt: 'login' });
  await person.open(third.url);
  const cancelled = await person.submit('cancel');
  await assert.rejects(openid.authorizationCodeGrant(config, cancelled, third.checks), refused('access_denied'));

  const silent = await begin(config, clients.web, { prompt: 'none' });
  const other = { ...silent.checks, pkceCodeVerifier: openid.randomPKCECodeVerifier() };
  await assert.rejects(openid.authorizationCodeGrant(config, await person.open(silent.url), other), refused('invalid_grant'));
});

// A resource server that wants two factors for what it does, and none too old (RFC 9470 section 3).
const keys = createRemoteJWKSet(new URL(`${stage.issuer}/jwks.json`));
async function resource(token, audience) {
  const { payload } = await jwtVerify(token, keys, { issuer: stage.issuer, audience, typ: 'at+jwt', requiredClaims: ['sub', 'exp', 'iat', 'jti', 'client_id', 'auth_time'] });
  if (payload.acr === 'aal2' && Date.now() / 1000 - payload.auth_time <= 300) return { status: 200 };
  return { status: 401, challenge: 'Bearer error="insufficient_user_authentication", error_description="two factors are needed", acr_values="aal2", max_age="300"' };
}

test('openid-client: a resource server asks for step-up, and the client gets it', async () => {
  const { web } = clients;
  const config = await discover(web.id, basic);
  const person = new Person();
  const user = take('totp');
  const first = await begin(config, web);
  const weak = await openid.authorizationCodeGrant(config, await person.signIn(first.url, user), first.checks);
  const refusal = await resource(weak.access_token, web.id);
  assert.equal(refusal.status, 401);
  const asked = Object.fromEntries([...refusal.challenge.matchAll(/(acr_values|max_age)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
  const up = await begin(config, web, asked);
  const strong = await openid.authorizationCodeGrant(config, await person.signIn(up.url, user), { ...up.checks, maxAge: Number(asked.max_age) });
  assert.equal((await resource(strong.access_token, web.id)).status, 200);
  await assert.rejects(resource(strong.id_token, web.id), { code: 'ERR_JWT_CLAIM_VALIDATION_FAILED' }); // an ID token is none
  const { acr, auth_time: at } = await openid.tokenIntrospection(config, strong.access_token);
  assert.deepEqual([acr, at], ['aal2', strong.claims().auth_time]);
});

for (const [id, auth, wrong] of [['m2m', basic, openid.ClientSecretBasic('wrong')], ['m2m-post', post, openid.ClientSecretPost('wrong')]]) {
  test(`openid-client, client credentials: ${id}`, async () => {
    const config = await discover(id, auth);
    const tokens = await openid.clientCredentialsGrant(config, { scope: 'reports' });
    assert.deepEqual([tokens.scope, tokens.refresh_token, tokens.id_token], ['reports', undefined, undefined]);
    const token = await openid.tokenIntrospection(config, tokens.access_token);
    assert.deepEqual([token.active, token.client_id, token.scope], [true, id, 'reports']);
    await openid.tokenRevocation(config, tokens.access_token);
    assert.equal(await active(config, tokens.access_token), false);
    await assert.rejects(openid.clientCredentialsGrant(config, { scope: 'openid' }), refused('invalid_scope'));
    await assert.rejects(openid.clientCredentialsGrant(await discover(id, wrong), { scope: 'reports' }), (e) => {
      // RFC 6749 section 5.2: WWW-Authenticate if the client used the header.
      assert.equal(e.status, 401);
      if (auth === basic) assert.equal(e.cause[0].scheme, 'basic');
      else assert.equal(e.error, 'invalid_client');
      return true;
    });
  });
}

for (const [name, client, auth, alg] of [['public', clients.spa, openid.None(), 'ES256'], ['client_secret_basic', clients.web, basic, 'Ed25519']]) {
  test(`openid-client, DPoP: ${name}`, async () => {
    const config = await discover(client.id, auth);
    const key = await openid.randomDPoPKeyPair(alg);
    const DPoP = openid.getDPoPHandle(config, key);
    const thief = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair());
    const user = take('plain');
    const login = await begin(config, client, { dpop_jkt: await DPoP.calculateThumbprint() });
    const arrived = await new Person().signIn(login.url, user);
    await assert.rejects(openid.authorizationCodeGrant(config, arrived, login.checks), refused('invalid_grant'));
    await assert.rejects(openid.authorizationCodeGrant(config, arrived, login.checks, undefined, { DPoP: thief }), refused('invalid_grant'));
    const tokens = await openid.authorizationCodeGrant(config, arrived, login.checks, undefined, { DPoP });
    const { sub } = tokens.claims();
    assert.equal(tokens.token_type, 'dpop');
    assert.equal((await openid.fetchUserInfo(config, tokens.access_token, sub, { DPoP })).email, user.email);
    for (const options of [undefined, { DPoP: thief }]) {
      await assert.rejects(openid.fetchUserInfo(config, tokens.access_token, sub, options), refused('invalid_token'));
    }
    if (auth === basic) {
      const token = await openid.tokenIntrospection(config, tokens.access_token);
      assert.deepEqual([token.token_type, token.cnf], ['DPoP', { jkt: await DPoP.calculateThumbprint() }]);
    } else {
      await assert.rejects(openid.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP: thief }), refused('invalid_grant'));
    }
    const next = await openid.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
    assert.equal((await openid.fetchUserInfo(config, next.access_token, sub, { DPoP })).email, user.email);
  });
}

// --- AppAuth ----------------------------------------------------------------

// freePort returns a port for the handler of AppAuth.
const freePort = () => new Promise((done) => {
  const server = createServer().listen(0, () => {
    const { port } = server.address();
    server.close(() => done(port));
  });
});

// authorize runs the library's handler, with its server for the redirect.
async function authorize(configuration, client, browse) {
  const port = await freePort();
  const redirect = client.redirect.replace('127.0.0.1', `127.0.0.1:${port}`);
  const handler = new NodeBasedHandler(port);
  const request = new AppAuth.AuthorizationRequest({
    client_id: client.id, redirect_uri: redirect, scope: 'openid profile email offline_access',
    response_type: AppAuth.AuthorizationRequest.RESPONSE_TYPE_CODE,
  }, new NodeCrypto(), true);
  const response = new Promise((done, fail) => {
    const notifier = new AppAuth.AuthorizationNotifier();
    notifier.setAuthorizationListener((sent, received, error) => done({ request: sent, response: received, error, redirect }));
    handler.setAuthorizationNotifier(notifier);
    browseWith((address) => browse(address).then((to) => fetch(to)).catch(fail));
  });
  handler.performAuthorizationRequest(configuration, request);
  return response;
}

test('AppAuth, native client with a loopback redirect URI', async () => {
  const { native } = clients;
  const requestor = new NodeRequestor();
  const configuration = await AppAuth.AuthorizationServiceConfiguration.fetchFromIssuer(stage.issuer, requestor);
  const tokens = new AppAuth.BaseTokenRequestHandler(requestor);
  const ask = (fields) => tokens.performTokenRequest(configuration, new AppAuth.TokenRequest({ client_id: native.id, ...fields }));
  const person = new Person();
  const user = take('totp');
  const { request, response, redirect } = await authorize(configuration, native, (address) => person.signIn(address, user));
  assert.equal(response.state, request.state);
  const exchange = {
    redirect_uri: redirect, grant_type: AppAuth.GRANT_TYPE_AUTHORIZATION_CODE, code: response.code,
    extras: { code_verifier: request.internal.code_verifier },
  };
  const first = await ask(exchange);
  assert.ok(first.isValid(0) && first.accessToken && first.idToken && first.refreshToken);
  assert.equal(first.tokenType.toLowerCase(), 'bearer');

  const refresh = (token) => ask({ redirect_uri: redirect, grant_type: AppAuth.GRANT_TYPE_REFRESH_TOKEN, refresh_token: token });
  const second = await refresh(first.refreshToken);
  assert.ok(second.accessToken && second.refreshToken !== first.refreshToken);
  const userinfo = () => requestor.xhr({
    url: configuration.userInfoEndpoint, method: 'GET', dataType: 'json', headers: { Authorization: `Bearer ${second.accessToken}` },
  });
  assert.equal((await userinfo()).email, user.email);
  await tokens.performRevokeTokenRequest(configuration, new AppAuth.RevokeTokenRequest({ token: second.refreshToken, client_id: native.id }));
  await assert.rejects(refresh(second.refreshToken), { message: 'Bad Request' });
  await assert.rejects(userinfo(), { message: 'Unauthorized' });

  const cancelled = await authorize(configuration, native, async (address) => {
    const other = new Person();
    await other.open(address);
    return other.submit('cancel');
  });
  assert.deepEqual([cancelled.response, cancelled.error.error, cancelled.error.state], [null, 'access_denied', cancelled.request.state]);
});

// --- oidc-client-ts ---------------------------------------------------------

test('oidc-client-ts: hosted pages, renewal, step-up, sign-out', () => visit({}, async (page) => {
  const user = take('totp');
  await page.goto(`${stage.pages}/`);
  await arrive(page, '/');
  await leave(page, 'tab', 'signinRedirect', { nonce: 'of-the-tab', state: { page: 7 } });
  await page.waitForSelector('#login-submit');
  await signIn(page, user);
  const first = await back(page, 'tab');
  assert.deepEqual([first.profile.email, first.profile.acr, first.profile.nonce], [user.email, 'aal1', 'of-the-tab']);

  const renewed = await page.evaluate(() => new Promise((done, fail) => {
    // For this manager every token is about to expire, so it renews immediately.
    const manager = window.app.manager('tab', { automaticSilentRenew: true, accessTokenExpiringNotificationTimeInSeconds: 86400 });
    manager.events.addSilentRenewError(fail);
    manager.events.addUserLoaded((got) => {
      manager.stopSilentRenew();
      done(window.app.summary(got));
    });
  }));
  assert.notEqual(renewed.access, first.access);
  assert.notEqual(renewed.refresh, first.refresh);
  assert.deepEqual([renewed.profile.sub, renewed.profile.sid, renewed.profile.auth_time], [first.profile.sub, first.profile.sid, first.profile.auth_time]);

  const raced = await page.evaluate(async () => (await Promise.all([0, 1].map(() => window.app.manager('tab').signinSilent()))).map(window.app.summary));
  assert.equal(raced[0].refresh, raced[1].refresh, 'two tabs that renew at the same time get the same token');
  assert.notEqual(raced[0].refresh, renewed.refresh);

  await leave(page, 'tab', 'signinRedirect', { acr_values: 'aal2' });
  await page.waitForSelector('input[name=passcode]');
  await enter(page, passcode(user), '#mfa-submit');
  const strong = await back(page, 'tab');
  assert.deepEqual([strong.profile.acr, strong.profile.amr, strong.profile.sid], ['aal2', ['mfa', 'otp', 'pwd'], first.profile.sid]);

  await page.evaluate(() => window.app.manager('tab').revokeTokens(['refresh_token', 'access_token']));
  await leave(page, 'tab', 'signoutRedirect');
  await arrive(page, '/callback/bye');
  await page.evaluate(() => window.app.manager('tab').signoutRedirectCallback());
  await leave(page, 'tab', 'signinRedirect');
  await page.waitForSelector('#login-submit');
}));

test('oidc-client-ts: a login page of the application', () => visit({}, async (page) => {
  const user = take('totp');
  const { username, password } = user;
  await page.goto(`${stage.pages}/`);
  await arrive(page, '/');
  await leave(page, 'front', 'signinRedirect');
  await arrive(page, '/login');
  assert.deepEqual(await page.evaluate((wanted) => window.app.shown(wanted), { username, password }), ['identify']);
  const first = await back(page, 'front');
  assert.deepEqual([first.profile.email, first.profile.acr], [user.email, 'aal1']);
  await leave(page, 'front', 'signinRedirect');
  assert.equal((await back(page, 'front')).profile.sid, first.profile.sid, 'signed in once is enough');

  // Calls of the page carry no cookie, so the session's proofs do not count for them.
  await leave(page, 'front', 'signinRedirect', { acr_values: 'aal2' });
  await arrive(page, '/login');
  const typed = { username, password, passcode: passcode(user) };
  assert.deepEqual(await page.evaluate((wanted) => window.app.shown(wanted), typed), ['identify', 'verify']);
  const strong = await back(page, 'front');
  assert.deepEqual([strong.profile.acr, strong.profile.sid], ['aal2', first.profile.sid]);
  const renewed = await page.evaluate(async () => window.app.summary(await window.app.manager('front').signinSilent()));
  assert.deepEqual([renewed.profile.acr, renewed.refresh === strong.refresh], ['aal2', false]);

  await leave(page, 'front', 'signoutRedirect');
  await arrive(page, '/callback/bye');
  await page.evaluate(() => window.app.manager('front').signoutRedirectCallback());
  await leave(page, 'front', 'signinRedirect');
  await arrive(page, '/login');
}));

test('oidc-client-ts: headless, the page is never left', () => visit({}, async (page, context) => {
  const user = take('totp');
  await page.goto(`${stage.pages}/`);
  await arrive(page, '/');
  const wanted = { username: user.username, password: user.password, passcode: passcode(user) };
  const got = await page.evaluate((all) => window.app.alone('front', { acr_values: 'aal2', nonce: 'n' }, all), wanted);
  assert.deepEqual([got.profile.email, got.profile.acr, got.profile.nonce], [user.email, 'aal2', 'n']);
  const renewed = await page.evaluate(async () => window.app.summary(await window.app.manager('front').signinSilent()));
  assert.equal(renewed.profile.sub, got.profile.sub);
  assert.equal(page.url(), `${stage.pages}/`);
  assert.deepEqual(await context.cookies(), []);
}));

// The library considers a popup closed when it loses its opener.
test('oidc-client-ts: in a popup, with a second factor, cancelled and signed out', () => visit({}, async (page) => {
  const user = take('totp');
  await page.goto(`${stage.pages}/`);
  await arrive(page, '/');
  const popup = async (method, args, act) => {
    const [opened] = await Promise.all([page.waitForEvent('popup'), page.evaluate(([name, a]) => {
      window.popped = window.app.manager('tab')[name](a).then((got) => got && window.app.summary(got), (e) => ({ error: e.error ?? e.message }));
    }, [method, args])]);
    const closed = opened.waitForEvent('close');
    await act(opened);
    const got = await page.evaluate(() => window.popped);
    await closed;
    return got;
  };
  const first = await popup('signinPopup', { acr_values: 'aal2' }, async (opened) => {
    await opened.waitForSelector('#login-submit');
    await signIn(opened, user);
    await opened.waitForSelector('input[name=passcode]');
    assert.equal(await opened.evaluate(() => window.opener !== null), true);
    await enter(opened, passcode(user), '#mfa-submit');
  });
  assert.deepEqual([first.profile.email, first.profile.acr], [user.email, 'aal2']);
  const second = await popup('signinPopup', {}, () => {});
  assert.equal(second.profile.sid, first.profile.sid, 'signed in once is enough');
  assert.equal(await popup('signoutPopup', {}, () => {}), undefined);
  const denied = await popup('signinPopup', {}, async (opened) => {
    await opened.waitForSelector('#cancel');
    await opened.click('#cancel');
  });
  assert.equal(denied.error, 'access_denied');
}));

// The account page is not part of a login, so it is isolated from its opener.
test('the account page in a popup is isolated from its opener', () => visit({}, async (page) => {
  const user = take('plain');
  await page.goto(`${stage.pages}/`);
  await arrive(page, '/');
  const [opened] = await Promise.all([page.waitForEvent('popup'), page.evaluate((address) => { window.theirs = window.open(address); }, `${stage.issuer}/account`)]);
  await opened.waitForSelector('#login-submit');
  await signIn(opened, user);
  await opened.waitForSelector('#account');
  assert.equal(await opened.evaluate(() => window.opener), null);
  assert.equal(await page.evaluate(() => window.theirs.closed), true);
}));

test('oidc-client-ts: a silent request in a frame finds no session', () => visit({}, async (page) => {
  await page.goto(`${stage.pages}/`);
  await arrive(page, '/');
  const error = await page.evaluate(() => window.app.manager('tab').signinSilent().then(() => 'signed in', (e) => e.error ?? e.message));
  assert.equal(error, 'login_required');
}));

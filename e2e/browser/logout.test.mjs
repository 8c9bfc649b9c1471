// A sign-out that reaches applications: logout tokens, verified by jose as published, and frames in
// Chromium (OpenID Connect Back-Channel Logout 1.0, Front-Channel Logout 1.0).
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { accessible, authorizeURL, closeBrowser, fits, signIn, stage, visit } from './lib.mjs';
import { Person } from './person.mjs';

const users = [...stage.users.plain];
const { told, framed } = stage.clients;
const keys = createRemoteJWKSet(new URL(`${stage.issuer}/jwks.json`));

// The applications: posts are logout tokens, and at /pinged that a request has ended; /frame is what the
// browser loads.
const posted = [];
const pings = [];
const frames = [];
let [held, status, waiting] = [false, 200, undefined];
const server = createServer(async (call, answer) => {
  const url = new URL(call.url, stage.pages);
  if (call.method === 'POST') {
    let body = '';
    for await (const part of call) body += part;
    if (url.pathname === '/pinged') {
      pings.push({ authorization: call.headers.authorization, type: call.headers['content-type'], ...JSON.parse(body) });
      answer.writeHead(204).end();
      waiting?.();
      return;
    }
    posted.push({ path: url.pathname, token: new URLSearchParams(body).get('logout_token') });
    answer.writeHead(status).end();
    waiting?.();
    return;
  }
  if (url.pathname === '/frame') {
    frames.push({ url, destination: call.headers['sec-fetch-dest'], referrer: call.headers.referer });
    if (held) return;
  }
  answer.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<!doctype html><html lang="en"><title>An application</title><link rel="icon" href="data:,">');
});

before(() => new Promise((up) => {
  const { hostname, port } = new URL(stage.pages);
  server.listen(Number(port), hostname, up);
}));
after(async () => {
  await closeBrowser();
  server.close();
  server.closeAllConnections();
});

// tokens waits for so many logout tokens more, and returns what jose reads in them, by client.
async function tokens(n) {
  while (posted.length < n) await new Promise((go) => { waiting = go; });
  const out = {};
  for (const { path, token } of posted.splice(0, n)) {
    const { payload, protectedHeader } = await jwtVerify(token, keys, {
      issuer: stage.issuer, audience: path.slice('/heard/'.length), typ: 'logout+jwt', maxTokenAge: '2 minutes', requiredClaims: ['jti', 'iat', 'exp', 'sub', 'events'],
    });
    assert.deepEqual(payload.events, { 'http://schemas.openid.net/event/backchannel-logout': {} });
    assert.ok(!('nonce' in payload));
    assert.ok(payload.exp - payload.iat <= 120);
    out[payload.aud] = { alg: protectedHeader.alg, sub: payload.sub, sid: payload.sid, jti: payload.jti };
  }
  return out;
}

// identity redeems the code that arrived, and returns the ID token and its claims.
async function identity(client, arrived, verifier) {
  const config = await openid.discovery(new URL(stage.issuer), client.id, client === framed ? { id_token_signed_response_alg: 'ES256' } : {}, openid.None(), {
    execute: [openid.allowInsecureRequests, openid.enableNonRepudiationChecks],
  });
  const got = await openid.authorizationCodeGrant(config, new URL(arrived), {
    pkceCodeVerifier: verifier, expectedState: 'state-of-the-browser-test', expectedNonce: 'nonce-of-the-browser-test', idTokenExpected: true,
  });
  return { token: got.id_token, claims: got.claims() };
}

// opened signs a page in at both applications, and returns their identities.
async function opened(page) {
  const begun = authorizeURL(told);
  await page.goto(begun.url);
  await signIn(page, users.shift());
  await page.waitForURL((url) => url.href.startsWith(`${told.redirect}?`));
  const first = await identity(told, page.url(), begun.verifier);
  await page.goto(authorizeURL(framed).url);
  await page.waitForURL((url) => url.href.startsWith(`${framed.redirect}?`));
  return [first, await identity(framed, page.url(), begun.verifier)];
}

const end = (token) => `${stage.issuer}/logout?${new URLSearchParams({ id_token_hint: token, post_logout_redirect_uri: `${told.redirect}/bye`, state: 'a&b' })}`;
const bye = (url) => url.href === `${told.redirect}/bye?state=a%26b`;

for (const javaScriptEnabled of [true, false]) {
  test(`a sign-out reaches every application: scripts ${javaScriptEnabled}`, { timeout: 60000 }, () => visit({ javaScriptEnabled }, async (page) => {
    const [first, second] = await opened(page);
    assert.equal(second.claims.sid, first.claims.sid);
    await page.goto(end(first.token), { waitUntil: 'commit' });
    await page.waitForURL(bye, { waitUntil: 'commit' });
    const [frame, ...more] = frames.splice(0);
    assert.deepEqual(more, []);
    assert.deepEqual([frame.destination, frame.referrer, Object.fromEntries(frame.url.searchParams)],
      ['iframe', undefined, { tenant: 'a', iss: stage.issuer, sid: first.claims.sid }]);
    const heard = await tokens(2);
    for (const [client, alg] of [['told', 'RS256'], ['framed', 'ES256']]) {
      assert.deepEqual([heard[client].alg, heard[client].sub, heard[client].sid], [alg, first.claims.sub, first.claims.sid]);
    }
    await page.goto(authorizeURL(told, { prompt: 'none' }).url);
    assert.equal(new URL(page.url()).searchParams.get('error'), 'login_required');
  }));
}

for (const [name, options] of [['a desktop', {}], ['a phone, dark', { viewport: { width: 320, height: 640 }, colorScheme: 'dark', locale: 'de-DE' }]]) {
  test(`the page of frames is one that people can read: ${name}`, { timeout: 60000 }, () => visit(options, async (page) => {
    const [first] = await opened(page);
    await page.route('**/signing-out.js', (r) => r.abort()); // so that it stays
    await page.goto(end(first.token));
    await accessible(page);
    await fits(page);
    if (process.env.PICTURES) await page.screenshot({ path: `${process.env.PICTURES}/${options.locale ?? 'en'}.png` });
    assert.equal(await page.locator('iframe').isVisible(), false);
    await page.focus('#onward');
    await page.keyboard.press('Enter');
    await page.waitForURL(bye);
    frames.splice(0);
    await tokens(2);
  }));
}

test('an application that does not load is not waited for', { timeout: 60000 }, () => visit({}, async (page) => {
  const [first] = await opened(page);
  held = true;
  await page.clock.install();
  await page.goto(end(first.token), { waitUntil: 'commit' });
  await page.locator('#onward').waitFor();
  await page.clock.runFor(5000);
  await page.waitForURL(bye, { waitUntil: 'commit' });
  held = false;
  frames.splice(0);
  await tokens(2);
}));

test('an application that is down is told later, under the same jti', { timeout: 60000 }, async () => {
  const person = new Person();
  const begun = authorizeURL(told);
  const arrived = await person.signIn(begun.url, users.shift());
  const { token, claims } = await identity(told, arrived.href, begun.verifier);
  status = 503;
  assert.ok(bye(await person.open(end(token))));
  const first = await tokens(1);
  status = 204;
  const again = await tokens(1); // five seconds later
  assert.deepEqual(again, first);
  assert.equal(again.told.sid, claims.sid);
});

test('openid-client asks a person, who confirms in Chromium, and refuses the next', () => visit({}, async (page) => {
  const user = users.shift();
  const config = await openid.discovery(new URL(stage.issuer), 'till', {}, openid.ClientSecretBasic(stage.secret), {
    execute: [openid.allowInsecureRequests, openid.enableNonRepudiationChecks],
  });
  const { backchannel_authentication_endpoint: endpoint, backchannel_token_delivery_modes_supported: modes } = config.serverMetadata();
  assert.deepEqual([endpoint, modes], [`${stage.issuer}/bc-authorize`, ['poll', 'ping']]);
  const ask = async (token) => ({
    ...await openid.initiateBackchannelAuthentication(config, { scope: 'openid email', login_hint: user.email, binding_message: 'Order 17', client_notification_token: token }),
    interval: 1, // the first poll may come at once
  });
  const pinged = async (asked, token) => {
    while (!pings.length) await new Promise((go) => { waiting = go; });
    assert.deepEqual(pings.splice(0), [{ authorization: `Bearer ${token}`, type: 'application/json', auth_req_id: asked.auth_req_id }]);
  };
  const first = await ask('the-first');
  await page.goto(`${stage.issuer}/account`);
  await signIn(page, user);
  const list = page.getByRole('region', { name: 'Waiting for you' });
  await list.getByText('Order 17').waitFor();
  await fits(page);
  await accessible(page);
  await list.getByRole('button', { name: 'Continue' }).click();
  await page.getByRole('heading', { name: 'Confirm the sign-in to The till?' }).waitFor();
  await page.getByText('Order 17').waitFor();
  await page.getByRole('button', { name: 'Allow', exact: true }).click();
  await page.getByRole('heading', { name: 'You confirmed the sign-in' }).waitFor();
  await pinged(first, 'the-first');
  const tokens = await openid.pollBackchannelAuthenticationGrant(config, first);
  assert.equal((await openid.fetchUserInfo(config, tokens.access_token, tokens.claims().sub)).email, user.email);
  await assert.rejects(openid.pollBackchannelAuthenticationGrant(config, { ...first, interval: 5 }), (e) => e.error === 'invalid_grant');

  const second = await ask('the-second');
  await page.goto(`${stage.issuer}/account`);
  await list.getByRole('button', { name: 'Refuse' }).click();
  await page.getByText('The sign-in is refused.').waitFor();
  await pinged(second, 'the-second');
  await assert.rejects(openid.pollBackchannelAuthenticationGrant(config, second), (e) => e.error === 'access_denied');
}));

test('oauth4webapi asks a person, polls, and signs with its secret', () => visit({}, async (page) => {
  const user = users.shift();
  const insecure = { [oauth.allowInsecureRequests]: true };
  const issuer = new URL(stage.issuer);
  const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure));
  const client = { client_id: 'counter', id_token_signed_response_alg: 'RS256' };
  const auth = oauth.ClientSecretJwt(stage.secret);
  const ask = async (proof, parameters) => oauth.processBackchannelAuthenticationResponse(as, client,
    await oauth.backchannelAuthenticationRequest(as, client, proof, { scope: 'openid email', ...parameters }, insecure));
  const poll = async (asked) => {
    const response = await oauth.backchannelAuthenticationGrantRequest(as, client, auth, asked.auth_req_id, insecure);
    const found = await oauth.processBackchannelAuthenticationGrantResponse(as, client, response);
    await oauth.validateApplicationLevelSignature(as, response, insecure);
    return found;
  };
  const about = { login_hint: user.email, binding_message: 'Parcel 9' };
  for (const [proof, parameters, error] of [[oauth.ClientSecretJwt('another secret, which is long enough'), about, 'invalid_client'],
    [oauth.ClientSecretPost(stage.secret), about, 'invalid_client'], [auth, {}, 'invalid_request']]) {
    await assert.rejects(ask(proof, parameters), { error });
  }
  const first = await ask(auth, about);
  assert.ok(first.expires_in > 0 && first.interval > 0);
  await page.goto(`${stage.issuer}/account`);
  await signIn(page, user);
  const list = page.getByRole('region', { name: 'Waiting for you' });
  await list.getByText('Parcel 9').waitFor();
  await list.getByRole('button', { name: 'Continue' }).click();
  await page.getByRole('button', { name: 'Allow', exact: true }).click();
  await page.getByRole('heading', { name: 'You confirmed the sign-in' }).waitFor();
  const tokens = await poll(first);
  const { sub } = oauth.getValidatedIdTokenClaims(tokens);
  const info = await oauth.processUserInfoResponse(as, client, sub, await oauth.userInfoRequest(as, client, tokens.access_token, insecure));
  assert.equal(info.email, user.email);

  const second = await ask(auth, about);
  await page.goto(`${stage.issuer}/account`);
  await list.getByRole('button', { name: 'Refuse' }).click();
  await page.getByText('The sign-in is refused.').waitFor();
  await assert.rejects(poll(second), { error: 'access_denied' });
  await assert.rejects(poll(await ask(auth, about)), { error: 'authorization_pending' });
}));

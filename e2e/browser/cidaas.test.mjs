// Pages written for cidaas, in a real browser: on the server's own origin and on another
// one. They send what the cidaas libraries send (see page() below) and leave the OAuth
// part to oidc-client-ts, as those libraries do.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { closeBrowser, code, codeAt, stage, visit } from './lib.mjs';
import { authenticator, laptop } from './authenticator.mjs';

const oidc = readFileSync(new URL('./node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js', import.meta.url), 'utf8');
const people = { totp: [...stage.users.totp], plain: [...stage.users.plain] };
const take = (kind) => people[kind].shift() ?? assert.fail(`no user of kind ${kind} is left`);

// page is served below /page/ and calls as the cidaas libraries of versions 4 and 5 do, by
// XMLHttpRequest with the content type JSON, even for GETs and empty bodies; a response that
// is not JSON is never resolved. Forms have every option as text, even undefined and null.
function page() {
  window.faults = [];
  window.addEventListener('error', (e) => window.faults.push(e.message));
  window.call = (method, path, options, token, headers) => new Promise((resolve) => {
    const http = new XMLHttpRequest();
    http.onreadystatechange = () => {
      if (http.readyState === 4) resolve(http.responseText ? JSON.parse(http.responseText) : false);
    };
    http.open(method, window.authority + path, true);
    http.setRequestHeader('Content-type', 'application/json');
    for (const [name, value] of Object.entries(headers ?? {})) http.setRequestHeader(name, value);
    if (token) http.setRequestHeader('Authorization', `Bearer ${token}`);
    if (options) http.send(JSON.stringify(options)); else http.send();
  });
  window.submit = (path, options) => {
    const form = document.createElement('form');
    form.action = window.authority + path;
    form.method = 'POST';
    for (const name of Object.keys(options)) {
      const field = document.createElement('input');
      field.setAttribute('type', 'hidden');
      field.setAttribute('name', name);
      field.setAttribute('value', options[name]);
      form.appendChild(field);
    }
    document.body.appendChild(form);
    form.submit();
  };
  window.manager = (client) => new window.oidc.UserManager({
    authority: window.authority, client_id: client, redirect_uri: `${location.origin}/page/callback`,
    post_logout_redirect_uri: `${location.origin}/page/bye`, response_type: 'code', scope: 'email openid profile mobile',
    userStore: new window.oidc.WebStorageStateStore({ store: localStorage }),
  });
}

const html = `<!doctype html><meta charset="utf-8"><title>A page of the shop</title><body><script>${oidc}</script>
<script>window.authority=${JSON.stringify(stage.issuer)};(${page})()</script>`;

// The server of the pages, and a proxy that serves the same pages on the provider's origin.
const show = (answer) => answer.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(html);
const servers = [
  createServer((call, answer) => show(answer)),
  createServer((call, answer) => {
    if (call.url.startsWith('/page/')) return show(answer);
    const to = new URL(call.url, stage.server);
    return call.pipe(request(to, { method: call.method, headers: call.headers }, (from) => {
      answer.writeHead(from.statusCode, from.headers);
      from.pipe(answer);
    }));
  }),
];

before(() => Promise.all([stage.origins.other, stage.origins.same].map((origin, i) => new Promise((up) => {
  servers[i].listen(Number(new URL(origin).port), new URL(origin).hostname, up);
}))));
after(async () => {
  await closeBrowser();
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
});

const call = (tab, ...args) => tab.evaluate((all) => window.call(...all), args);
const query = (tab) => Object.fromEntries(new URL(tab.url()).searchParams);

// sent waits for the next code to an address and returns it; seen counts those that came before.
const seen = new Map();
async function sent(tab, address) {
  const before_ = seen.get(address) ?? 0;
  for (let tries = 0; tries < 300; tries++) {
    const lines = existsSync(stage.outbox) ? readFileSync(stage.outbox, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line)) : [];
    const codes = lines.filter((m) => m.recipient === address && m.template === 'code').map((m) => m.code);
    if (codes.length > before_) {
      seen.set(address, codes.length);
      return codes.at(-1);
    }
    await tab.waitForTimeout(100);
  }
  return assert.fail(`no code was sent to ${address}`);
}

// arrive waits until the tab is at a page of the shop.
const arrive = async (tab, origin, name) => {
  await tab.waitForURL((url) => url.href.startsWith(`${origin}/page/${name}`));
  await tab.waitForFunction(() => window.call && document.readyState === 'complete');
};

// begin is loginWithBrowser.
async function begin(tab, origin, client) {
  await tab.goto(`${origin}/page/home`);
  await tab.evaluate((id) => {
    window.manager(id).signinRedirect({ extraQueryParams: { view_type: 'login', nonce: Date.now().toString() } });
  }, client);
  await arrive(tab, origin, 'login');
  return query(tab).requestId;
}

// end is loginCallback.
async function end(tab, origin, client) {
  await arrive(tab, origin, 'callback');
  assert.ok(query(tab).code, tab.url());
  return tab.evaluate(async (id) => {
    const user = await window.manager(id).signinRedirectCallback();
    const profile = JSON.parse(atob(user.id_token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/')));
    return { profile, access: user.access_token, refresh: user.refresh_token };
  }, client);
}

async function password(tab, requestId, user, word = user.password) {
  await tab.evaluate((o) => window.submit('/login-srv/login', o), {
    username: user.email, password: word, requestId, username_type: 'email', rememberMe: 'undefined' });
}

for (const [where, origin] of Object.entries(stage.origins)) {
  const off = `${where}-off`;
  const always = `${where}-always`;

  // Passkeys belong to the provider's own origin.
  if (where === 'same') test('FIDO2: set up with an access token, then in place of the password', () => visit({}, async (tab) => {
    const user = take('plain');
    await authenticator(tab, laptop);
    const ceremony = (name, challenge) => tab.evaluate(async ([call_, options]) => {
      const parse = { create: 'parseCreationOptionsFromJSON', get: 'parseRequestOptionsFromJSON' }[call_];
      const credential = await navigator.credentials[call_]({ publicKey: PublicKeyCredential[parse](options) });
      return { client_response: credential.toJSON(), fidoRequestId: 'of the page' };
    }, [name, challenge]);

    await password(tab, await begin(tab, origin, off), user);
    const { access } = await end(tab, origin, off);
    const setup = await call(tab, 'POST', '/verification-srv/v2/setup/initiate/FIDO2', { verification_type: 'FIDO2' }, access);
    const created = await ceremony('create', setup.data.fido2_entity.server_challenge);
    const enrolled = await call(tab, 'POST', '/verification-srv/v2/setup/enroll/FIDO2',
      { exchange_id: setup.data.exchange_id.exchange_id, verification_type: 'FIDO2', fido2_client_response: created });
    assert.equal(enrolled.data?.enrolled, true, JSON.stringify(enrolled));
    const status = await call(tab, 'POST', `/verification-srv/v2/notification/status/${setup.data.status_id}`, undefined, access);
    assert.equal(status.data.status, 'ENROLLED');
    await tab.context().clearCookies();

    const requestId = await begin(tab, origin, off);
    const list = await call(tab, 'POST', '/verification-srv/v2/setup/public/configured/list', { email: user.email, request_id: requestId });
    assert.ok(list.data.configured_list.some((m) => m.type === 'FIDO2'), JSON.stringify(list));
    const begun = await call(tab, 'POST', '/verification-srv/v2/authenticate/initiate/FIDO2',
      { usage_type: 'PASSWORDLESS_AUTHENTICATION', request_id: requestId, email: user.email, type: 'FIDO2' });
    const exchange = { exchange_id: begun.data.exchange_id.exchange_id, type: 'FIDO2' };
    const signed = await ceremony('get', begun.data.fido2_entity.server_challenge);
    const done = await call(tab, 'POST', '/verification-srv/v2/authenticate/authenticate/FIDO2', { ...exchange, fido2_client_response: signed });
    assert.equal(done.success, true, JSON.stringify(done));
    const again = await call(tab, 'POST', '/verification-srv/v2/authenticate/authenticate/FIDO2', { ...exchange, fido2_client_response: signed });
    assert.equal(again.status, 417);
    await tab.evaluate((o) => window.submit('/login-srv/verification/login', o),
      { requestId, verificationType: 'FIDO2', sub: done.data.sub, status_id: done.data.status_id });
    const { profile } = await end(tab, origin, off);
    assert.equal(profile.acr, 'phr');
  }));

  test(`a code alone, with a wrong one first: ${where} origin`, () => visit({}, async (tab) => {
    const user = take('totp');
    const requestId = await begin(tab, origin, off);
    const shop = await call(tab, 'GET', `/public-srv/public/${requestId}`);
    assert.equal(shop.data.client_id, off);
    assert.equal((await call(tab, 'GET', '/public-srv/tenantinfo/basic')).success, true);
    const list = await call(tab, 'POST', '/verification-srv/v2/setup/public/configured/list', { email: user.email, request_id: requestId });
    const found = list.data.configured_list.find((m) => m.type === 'TOTP');
    const begun = await call(tab, 'POST', '/verification-srv/v2/authenticate/initiate/TOTP',
      { usage_type: 'PASSWORDLESS_AUTHENTICATION', request_id: requestId, medium_id: found.mediums[0].id, type: 'TOTP' });
    const options = { requestId, exchange_id: begun.data.exchange_id.exchange_id, type: 'TOTP' };
    const wrong = await call(tab, 'POST', '/verification-srv/v2/authenticate/authenticate/TOTP', { ...options, passcode: codeAt(user.totp, 1) });
    assert.deepEqual([wrong.success, wrong.status, wrong.error.error], [false, 417, 'invalid pass_code']);
    const early = { requestId, verificationType: 'TOTP', sub: begun.data.sub, status_id: begun.data.status_id };
    await tab.evaluate((o) => window.submit('/login-srv/verification/login', o), early);
    await arrive(tab, origin, 'login');
    assert.equal(query(tab).error, 'invalid_verification', 'nothing is verified yet');
    const right = await call(tab, 'POST', '/verification-srv/v2/authenticate/authenticate/TOTP', { ...options, passcode: await code(user.totp) });
    assert.equal(right.data.status_id, begun.data.status_id);
    await tab.evaluate((o) => window.submit('/login-srv/verification/login', o), early);
    const { profile } = await end(tab, origin, off);
    assert.equal(profile.acr, 'aal1');
    assert.notEqual(profile.sub, begun.data.sub);
  }));

  test(`password, then the second factor: ${where} origin`, () => visit({}, async (tab) => {
    const user = take('totp');
    const requestId = await begin(tab, origin, always);
    await password(tab, requestId, user, 'wrong');
    await arrive(tab, origin, 'login');
    assert.deepEqual([query(tab).error, query(tab).requestId], ['invalid_username_password', requestId]);
    await password(tab, requestId, user);
    await arrive(tab, origin, 'mfa');
    // Without the cookie, from another site, the login is detached; its request still names it.
    const { track_id: track, sub, error, requestId: own } = query(tab);
    assert.equal(error, 'mfa_required');
    const metadata = await call(tab, 'GET', `/token-srv/prelogin/metadata/${track}`);
    assert.deepEqual([metadata.data.requestId, metadata.data.sub, metadata.data.validation_type], [own, sub, 'mfa_required']);
    const list = await call(tab, 'POST', '/verification-srv/v2/setup/public/configured/list', { sub, request_id: requestId });
    const begun = await call(tab, 'POST', '/verification-srv/authentication/totp/initiation',
      { usage_type: 'MULTIFACTOR_AUTHENTICATION', request_id: requestId, sub, medium_id: list.data.configured_list[0].mediums[0].id });
    await tab.evaluate((id) => window.submit(`/login-srv/precheck/continue/${id}`, { track_id: id }), track);
    await arrive(tab, origin, 'mfa');
    assert.equal(query(tab).track_id, track, 'not verified: the same track');
    await call(tab, 'POST', '/verification-srv/authentication/totp/verification',
      { exchange_id: begun.data.exchange_id.exchange_id, type: 'TOTP', passcode: await code(user.totp) });
    await tab.evaluate((id) => window.submit(`/login-srv/precheck/continue/${id}`, { track_id: id }), track);
    const { profile, refresh } = await end(tab, origin, always);
    assert.deepEqual([profile.acr, profile.amr], ['aal2', ['mfa', 'otp', 'pwd']]);
    assert.equal(await call(tab, 'GET', `/token-srv/prelogin/metadata/${track}`), false, 'a used track has no metadata');

    const again = await call(tab, 'POST', '/token-srv/token', { refresh_token: refresh, client_id: always, grant_type: 'refresh_token' });
    assert.equal(again.sub, profile.sub);
    // The library still has the previous token: within the grace it gets the same successor.
    const renewed = await tab.evaluate(async (id) => (await window.manager(id).signinSilent()).profile.sub, always);
    assert.equal(renewed, profile.sub);
    const info = await call(tab, 'GET', '/users-srv/userinfo', undefined, again.access_token);
    assert.equal(info.email, user.email);
    const seen = await call(tab, 'POST', '/token-srv/introspect', { token: again.access_token, token_type_hint: 'access_token' }, again.access_token);
    assert.deepEqual([seen.active, seen.aud, seen.scopes.length], [true, always, 4]);

    await tab.evaluate((id) => { window.manager(id).signoutRedirect(); }, always);
    await arrive(tab, origin, 'bye');
    assert.ok((await call(tab, 'GET', '/users-srv/userinfo', undefined, again.access_token)).refnumber, 'signed out');
  }));

  test(`an app is set up by a signed-in user, and appears in the list: ${where} origin`, () => visit({}, async (tab) => {
    const user = take('plain');
    await password(tab, await begin(tab, origin, off), user);
    const { access, profile } = await end(tab, origin, off);
    const before_ = await call(tab, 'GET', '/verification-srv/config/list', undefined, access);
    assert.equal(before_.data.find((m) => m.verification_type === 'TOTP').configured, false);
    const begun = await call(tab, 'POST', '/verification-srv/v2/setup/initiate/totp',
      { verification_type: 'totp', deviceInfo: { deviceId: '', location: { lat: '', lon: '' } } }, access);
    assert.equal(begun.data.sub, profile.sub);
    const secret = begun.data.totp_secret;
    const picture = await tab.evaluate((src) => new Promise((seen) => {
      const image = new Image();
      image.onload = () => seen(image.naturalWidth);
      image.src = src;
    }), begun.data.qr_code);
    assert.ok(picture > 100);
    const done = await call(tab, 'POST', '/verification-srv/v2/setup/enroll/totp', { sub: profile.sub, exchange_id: begun.data.exchange_id.exchange_id,
      verification_type: 'totp', pass_code: await code(secret) });
    assert.equal(done.data.enrolled, true);
    const state = await call(tab, 'POST', `/verification-srv/v2/notification/status/${done.data.status_id}`, undefined, access);
    assert.equal(state.data.status, 'ENROLLED');

    await tab.context().clearCookies();
    const requestId = await begin(tab, origin, off);
    const list = await call(tab, 'POST', '/verification-srv/v2/setup/public/configured/list', { email: user.email, request_id: requestId });
    assert.deepEqual(list.data.configured_list.map((m) => m.type), ['TOTP', 'FIDO2']);
    const start = await call(tab, 'POST', '/verification-srv/v2/authenticate/initiate/TOTP',
      { usage_type: 'INITIAL_AUTHENTICATION', request_id: requestId, email: user.email, type: 'TOTP' });
    const right = await call(tab, 'POST', '/verification-srv/v2/authenticate/authenticate/TOTP',
      { exchange_id: start.data.exchange_id.exchange_id, type: 'TOTP', pass_code: await code(secret) });
    assert.equal(right.success, true, JSON.stringify(right));
    await tab.evaluate((o) => window.submit('/login-srv/verification/login', o),
      { requestId, verificationType: 'totp', sub: start.data.sub, status_id: start.data.status_id });
    await end(tab, origin, off);
  }));

  test(`an app is set up in a login: ${where} origin`, () => visit({}, async (tab) => {
    const user = take('plain');
    await password(tab, await begin(tab, origin, always), user);
    await arrive(tab, origin, 'mfa');
    const { track_id: track, sub, error } = query(tab);
    assert.equal(error, 'suggest_verification_methods');
    const begun = await call(tab, 'POST', `/verification-actions-srv/setup/totp/initiate/${track}`, { sub });
    const done = await call(tab, 'POST', '/verification-actions-srv/setup/totp/verification',
      { exchange_id: begun.data.exchange_id.exchange_id, pass_code: await code(begun.data.totp_secret) });
    assert.equal(done.data.enrolled, true);
    await call(tab, 'PUT', `/verification-actions-srv/setup/users/friendlyname/TOTP/${track}`, { sub, friendly_name: 'phone' });
    await tab.evaluate((id) => window.submit(`/login-srv/precheck/continue/${id}`, { track_id: id }), track);
    assert.equal((await end(tab, origin, always)).profile.acr, 'aal2');
  }));

  test(`a code by mail is set up in a login, then the second factor: ${where} origin`, () => visit({}, async (tab) => {
    const user = take('plain');
    const address = `${user.username}.${where}@mail.example`;
    await password(tab, await begin(tab, origin, always), user);
    await arrive(tab, origin, 'mfa');
    const { track_id: setup, sub: own } = query(tab);
    const asked = await call(tab, 'POST', `/verification-actions-srv/setup/email/initiation/${setup}`, { sub: own, email: address });
    const done = await call(tab, 'POST', '/verification-actions-srv/setup/email/verification',
      { exchange_id: asked.data.exchange_id.exchange_id, pass_code: await sent(tab, address) });
    assert.equal(done.data.enrolled, true, JSON.stringify(done));
    await tab.evaluate((id) => window.submit(`/login-srv/precheck/continue/${id}`, { track_id: id }), setup);
    await end(tab, origin, always);

    await tab.context().clearCookies();
    const requestId = await begin(tab, origin, always);
    await password(tab, requestId, user);
    await arrive(tab, origin, 'mfa');
    const { track_id: track, sub } = query(tab);
    const list = await call(tab, 'POST', '/verification-srv/v2/setup/public/configured/list', { sub, request_id: requestId });
    const [{ type, mediums: [medium] }] = list.data.configured_list;
    assert.deepEqual([type, medium.text.endsWith('@mail.example'), medium.text.includes(user.username)], ['EMAIL', true, false]);
    const begun = await call(tab, 'POST', '/verification-srv/v2/authenticate/initiate/EMAIL',
      { usage_type: 'MULTIFACTOR_AUTHENTICATION', request_id: requestId, sub, medium_id: medium.id, type: 'EMAIL', processingType: 'CODE' });
    assert.equal(begun.data?.medium_text, medium.text, JSON.stringify(begun));
    const again = await call(tab, 'POST', '/verification-srv/v2/authenticate/initiate/EMAIL',
      { usage_type: 'MULTIFACTOR_AUTHENTICATION', request_id: requestId, sub, medium_id: medium.id, type: 'EMAIL' });
    assert.deepEqual([again.status, again.error.error], [429, 'too many messages']);
    const right = await call(tab, 'POST', '/verification-srv/v2/authenticate/authenticate/EMAIL',
      { exchange_id: begun.data.exchange_id.exchange_id, type: 'EMAIL', pass_code: await sent(tab, address) });
    assert.equal(right.success, true, JSON.stringify(right));
    await tab.evaluate((id) => window.submit(`/login-srv/precheck/continue/${id}`, { track_id: id }), track);
    const { profile } = await end(tab, origin, always);
    assert.deepEqual([profile.acr, profile.amr], ['aal2', ['mfa', 'otp', 'pwd']]);
  }));

  test(`a code by text message is set up by a signed-in user, then signs in: ${where} origin`, () => visit({}, async (tab) => {
    const user = take('plain');
    const number = where === 'same' ? '+14152222222' : '+14152222223';
    await password(tab, await begin(tab, origin, off), user);
    const { access, profile } = await end(tab, origin, off);
    const asked = await call(tab, 'POST', '/verification-srv/v2/setup/initiate/sms', { verification_type: 'sms', mobile_number: number }, access);
    assert.equal(asked.data?.medium_text.startsWith('+14'), true, JSON.stringify(asked));
    const done = await call(tab, 'POST', '/verification-srv/v2/setup/enroll/sms', { sub: profile.sub,
      exchange_id: asked.data.exchange_id.exchange_id, verification_type: 'sms', pass_code: await sent(tab, number) });
    assert.equal(done.data.enrolled, true, JSON.stringify(done));

    await tab.context().clearCookies();
    const requestId = await begin(tab, origin, off);
    const list = await call(tab, 'POST', '/verification-srv/v2/setup/public/configured/list', { email: user.email, request_id: requestId });
    assert.deepEqual(list.data.configured_list.map((m) => [m.type, m.mediums[0].text]), [['SMS', 'SMS'], ['FIDO2', 'FIDO2']]);
    const begun = await call(tab, 'POST', '/verification-srv/authentication/sms/initiation',
      { usage_type: 'INITIAL_AUTHENTICATION', request_id: requestId, medium_id: list.data.configured_list[0].mediums[0].id });
    const options = { exchange_id: begun.data.exchange_id.exchange_id, type: 'SMS' };
    const right = await sent(tab, number);
    const wrong = await call(tab, 'POST', '/verification-srv/authentication/sms/verification', { ...options, pass_code: right === '000000' ? '000001' : '000000' });
    assert.deepEqual([wrong.status, wrong.error.error], [417, 'invalid pass_code']);
    await call(tab, 'POST', '/verification-srv/authentication/sms/verification', { ...options, pass_code: right });
    const replayed = await call(tab, 'POST', '/verification-srv/authentication/sms/verification', { ...options, pass_code: right });
    assert.equal(replayed.error.error, 'invalid exchange_id');
    await tab.evaluate((o) => window.submit('/login-srv/verification/login', o),
      { requestId, verificationType: 'SMS', sub: begun.data.sub, status_id: begun.data.status_id });
    const ended = await end(tab, origin, off);
    assert.deepEqual([ended.profile.acr, ended.profile.amr, ended.profile.sub], ['aal1', ['otp', 'sms'], profile.sub]);
  }));

  test(`a login without a navigation before it, and every refusal in JSON: ${where} origin`, () => visit({}, async (tab) => {
    const user = take('totp');
    await tab.goto(`${origin}/page/home`);
    const sum = await tab.evaluate(async () => {
      const raw = await crypto.subtle.digest('SHA-256', new TextEncoder().encode('v'.repeat(43)));
      return btoa(String.fromCharCode(...new Uint8Array(raw))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');
    });
    const request = { client_id: off, redirect_uri: `${origin}/page/callback`, response_type: 'code', response_mode: 'fragment',
      scope: 'email openid profile mobile', nonce: '1', state: 'the-state', code_challenge: sum, code_challenge_method: 'S256' };
    const opened = await call(tab, 'POST', '/authz-srv/authrequest/authz/generate', request, undefined, { 'accept-language': 'de', lat: '1', lon: '2' });
    const requestId = opened.data.requestId;
    const none = '00000000-0000-0000-0000-000000000001';
    for (const [method, path, options, token] of [
      ['POST', '/authz-srv/authrequest/authz/generate', { ...request, redirect_uri: 'https://evil.example/' }],
      ['GET', `/public-srv/public/${none}`],
      ['GET', '/token-srv/prelogin/metadata/none'],
      ['POST', '/verification-srv/v2/setup/public/configured/list'],
      ['POST', '/verification-srv/v2/setup/public/configured/list', { email: 'x', request_id: none }],
      ['POST', '/verification-srv/v2/authenticate/initiate/PUSH', { usage_type: 'PASSWORDLESS_AUTHENTICATION', request_id: requestId, email: user.email }],
      ['POST', '/verification-srv/v2/authenticate/initiate/undefined', {}],
      ['POST', '/verification-srv/v2/authenticate/authenticate/TOTP', { exchange_id: none, pass_code: '123456' }],
      ['POST', '/verification-srv/v2/authenticate/cancel/TOTP', { exchange_id: none, reason: 'x', type: 'TOTP' }],
      ['POST', '/verification-srv/v2/setup/initiate/totp', { verification_type: 'totp' }, 'dead'],
      ['POST', '/verification-srv/v2/setup/enroll/totp', { exchange_id: none, pass_code: '123456' }],
      ['GET', '/verification-srv/config/list'],
      ['GET', '/verification-srv/v2/authenticate/initiate/TOTP'],
      ['POST', '/verification-actions-srv/setup/totp/verification', { filler: 'x'.repeat(70000) }],
      ['GET', '/device-srv/devices'],
      ['DELETE', '/device-srv/device/x', {}],
      ['POST', `/useractions-srv/userexistence/${requestId}`, { email: user.email }],
      ['POST', '/token-srv/token', { grant_type: 'refresh_token', refresh_token: 'dead', client_id: off }],
      ['GET', '/users-srv/userinfo', undefined, 'dead'],
    ]) {
      const reply = await call(tab, method, path, options, token);
      assert.ok(reply && reply.error, `${method} ${path}: ${JSON.stringify(reply)}`);
    }
    const begun = await call(tab, 'POST', '/verification-srv/v2/authenticate/initiate/totp',
      { usage_type: 'PASSWORDLESS_AUTHENTICATION', request_id: requestId, email: user.email, type: 'totp' });
    await call(tab, 'POST', '/verification-srv/v2/authenticate/authenticate/totp',
      { exchange_id: begun.data.exchange_id.exchange_id, type: 'totp', pass_code: await code(user.totp) });
    await tab.evaluate((o) => window.submit('/login-srv/verification/login', o),
      { requestId, verificationType: 'totp', sub: begun.data.sub, status_id: begun.data.status_id });
    await arrive(tab, origin, 'callback');
    const answer = new URLSearchParams(new URL(tab.url()).hash.slice(1));
    assert.equal(answer.get('state'), 'the-state');
    const tokens = await call(tab, 'POST', '/token-srv/token', { grant_type: 'authorization_code', code: answer.get('code'), client_id: off,
      redirect_uri: `${origin}/page/callback`, code_verifier: 'v'.repeat(43) });
    assert.ok(tokens.id_token && tokens.sub, JSON.stringify(tokens));
    await tab.evaluate((o) => window.submit('/login-srv/verification/login', o),
      { requestId, verificationType: 'totp', sub: begun.data.sub, status_id: begun.data.status_id });
    await tab.waitForURL((url) => !url.href.startsWith(`${origin}/page/callback`));
    assert.ok(!tab.url().includes('code='), 'a status counts once');
  }));
}

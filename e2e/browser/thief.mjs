// An attacker on other users' logins. Only the server stops it: every call comes from
// another address, with the origin of the application.
import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { code, stage } from './lib.mjs';

const form = 'application/x-www-form-urlencoded';
const fields = (members) => new URLSearchParams(members).toString();
let calls = 0;

/** send makes one call without cookies and follows no redirects. */
export async function send(method, path, members, { kind = 'application/json', origin } = {}) {
  calls += 1;
  const answer = await fetch(stage.issuer + path, {
    method, redirect: 'manual', body: members && (kind === form ? fields(members) : JSON.stringify(members)),
    headers: {
      'x-forwarded-for': `10.${(calls >> 16) & 255}.${(calls >> 8) & 255}.${calls & 255}`, ...(members && { 'content-type': kind }), ...(origin && { origin }),
    },
  });
  const text = await answer.text();
  let json;
  try { json = JSON.parse(text); } catch { json = undefined; }
  return { call: `${method} ${path} ${JSON.stringify(members)} from ${origin}`, status: answer.status, to: answer.headers.get('location') ?? '', cookies: answer.headers.getSetCookie().join(' '), text, json };
}

const api = (path, members, options) => send('POST', `/api/login/v1${path}`, members, options);
const good = (answer) => {
  assert.equal(answer.status, 200, `${answer.call}: ${answer.text}`);
  return answer.json;
};

/** ways are the routes that begin a login without a browser. */
export const ways = {
  'the login API': async (params) => good(await api('/requests', params)).request_id,
  generate: async (params) => good(await send('POST', '/authz-srv/authrequest/authz/generate', params)).data.requestId,
};

/** opening is an authorization request whose verifier the attacker has. */
export const opening = (client) => ({
  client_id: client.id, redirect_uri: client.redirect, response_type: 'code', scope: 'openid profile email', state: 'the-state-of-a-thief', nonce: 'a-nonce-of-a-thief',
  code_challenge: createHash('sha256').update('v'.repeat(43)).digest('base64url'), code_challenge_method: 'S256',
});

/** ownLogin is a login of the attacker, after the password and, if wanted, the code. */
export async function ownLogin(client, thief, whole = false) {
  const id = await ways['the login API'](opening(client));
  let step = good(await api('/password', { request_id: id, identifier: thief.username, password: thief.password }));
  if (whole) step = good(await api('/verify', { request_id: id, login_token: step.login_token, method: 'totp', passcode: await code(thief.totp) }));
  return { id, token: step.login_token };
}

/** earlier are statuses the attacker began in a request with the victim's name, before she signed in. */
export async function earlier(id, victim) {
  const out = [];
  for (const [method, usage] of [['PASSWORD', 'INITIAL_AUTHENTICATION'], ['TOTP', 'PASSWORDLESS_AUTHENTICATION']]) {
    const begun = await send('POST', `/verification-srv/authentication/${method}/initiation`, { request_id: id, email: victim.email, usage_type: usage });
    if (begun.status === 200) out.push({ method, exchange: begun.json.data.exchange_id.exchange_id, status: begun.json.data.status_id, sub: begun.json.data.sub });
  }
  assert.notEqual(out.length, 0, 'no try could be begun before');
  return out;
}

/** guessed is an invented status. */
export const guessed = () => ({ method: 'TOTP', exchange: randomUUID(), status: randomUUID(), sub: randomUUID() });

// callsOf returns every call that reads, continues or ends a login, by its request_id and
// optionally the token of another login.
function* callsOf(id, shown, victim) {
  const mine = { request_id: id, ...(shown && { login_token: shown }) };
  const track = shown ?? id;
  for (const [path, more] of Object.entries({
    '/step': {}, '/initiate': { method: 'totp' }, '/verify': { method: 'totp', passcode: '123456' }, '/enroll': { method: 'totp' },
    '/recovery-codes/seen': {}, '/consent': { allow: true }, '/finish': {}, '/cancel': {}, '/restart': {},
  })) yield ['POST', `/api/login/v1${path}`, { ...mine, ...more }];
  yield ['GET', `/token-srv/prelogin/metadata/${track}`];
  for (const path of [`/verification-actions-srv/setup/totp/initiation/${track}`, `/verification-actions-srv/setup/totp/initiate/${track}`]) yield ['POST', path, {}];
  yield ['PUT', `/verification-actions-srv/setup/users/friendlyname/TOTP/${track}`, { friendly_name: 'mine' }];
  yield ['POST', `/auth-actions-srv/validation/${track}`, { action: 'SKIP' }];
  for (const more of [{}, { requestId: id, track_id: track }]) {
    if (shown && !more.requestId) continue; // it has nothing of the victim's
    yield ['POST', `/login-srv/precheck/continue/${track}`, more, form];
    yield ['POST', `/login-srv/precheck/continue/sdk/${track}`, more];
  }
  yield ['POST', '/continue', { requestId: id, login_token: track }, form];
  if (shown) return;
  yield ['POST', '/api/login/v1/identify', { request_id: id, identifier: victim.email }];
  yield ['GET', `/public-srv/public/${id}`];
  for (const path of ['/login', '/mfa', '/enroll', '/recovery-codes', '/consent', '/cancel', '/restart']) {
    yield ['GET', `${path}?requestId=${id}`];
    yield ['POST', path, { requestId: id, decision: 'allow', method: 'totp' }, form];
  }
}

// callsWith returns the calls that name a status and its user.
function* callsWith(id, { method, exchange, status, sub }, victim) {
  const named = { request_id: id, requestId: id };
  for (const who of [{ email: victim.email }, { sub }]) {
    yield ['POST', '/verification-srv/v2/setup/public/configured/list', { ...named, ...who }];
    yield ['POST', '/verification-srv/public/graph/user/setup', { ...named, ...who }];
    yield ['POST', '/verification-srv/v2/setup/public/configured/check/totp', { ...named, ...who }];
    yield ['POST', '/verification-srv/v2/authenticate/initiate/totp', { ...named, ...who, usage_type: 'MULTIFACTOR_AUTHENTICATION' }];
  }
  yield ['POST', '/api/login/v1/verify', { request_id: id, method: 'totp', passcode: '123456', exchange_id: exchange }];
  yield ['POST', '/api/login/v1/enroll/confirm', { request_id: id, exchange_id: exchange, passcode: '123456' }];
  yield ['POST', '/verification-srv/v2/setup/enroll/totp', { exchange_id: exchange, pass_code: '123456', sub }];
  yield ['POST', `/verification-srv/v2/authenticate/authenticate/${method}`, { exchange_id: exchange, pass_code: '123456', ...named }];
  const claim = { requestId: id, status_id: status, exchange_id: exchange, sub, verificationType: method };
  yield ['POST', '/login-srv/verification/login', claim, form];
  yield ['POST', '/login-srv/verification/login', { ...claim, exchange_id: '', sub: id }, form];
  yield ['POST', '/login-srv/verification/sdk/login', claim];
  yield ['POST', `/login-srv/precheck/continue/${id}`, claim, form];
  yield ['POST', `/login-srv/precheck/continue/sdk/${id}`, claim];
}

/**
 * emptyHanded makes every call with everything an attacker may have, and fails if one
 * returns a code, a token, a state, a name, a list of factors, an enrolment or a session. ids
 * are those in URLs, own are the attacker's tokens, tries are earlier statuses; secret is
 * what only the victim received.
 */
export async function emptyHanded(when, { ids, own = [], tries = [], secret = [], victim, origin, adopts = false }) {
  const hidden = [victim.username, victim.email, ...secret].filter(Boolean);
  const look = ({ call, status, to, cookies, text, json }) => {
    const seen = `${to}\n${text}\n${cookies}`;
    const faults = hidden.filter((word) => seen.includes(word)).map((word) => `reveals ${word}`);
    if (/[?&#]code=/.test(to) || json?.redirect_to || json?.step && json.code || json?.data?.code) faults.push('gives a code or ends the login');
    if (/"(access_token|id_token|refresh_token|enrollment|recovery_codes|backup_codes|totp_secret|totp_uri|state|account)":/.test(text)) faults.push('gives what is an owner\'s');
    if (/sallyport_(session|device)=[^;]/.test(cookies)) faults.push('signs in');
    for (const token of [/sallyport_login=([^;]+)/.exec(cookies)?.[1], json?.login_token, json?.data?.track_id, json?.error?.track_id, new URL(to, stage.issuer).searchParams.get('track_id')]) {
      if (token && !own.includes(token)) faults.push('gives a login away');
    }
    if (json?.step && json.step !== 'identify') faults.push(`is at ${json.step}`);
    if (status >= 500) faults.push(`${status}`);
    assert.deepEqual(faults, [], `${when}: ${call} = ${status} ${seen}`);
  };
  let turns = 0; // alternate between a program and a page of the application
  for (const id of ids) {
    const all = [undefined, ...own].flatMap((shown) => [...callsOf(id, shown, victim)]);
    all.push(...[...tries, guessed()].flatMap((tried) => [...callsWith(id, tried, victim)]));
    if (adopts) all.push(['GET', `/continue?requestId=${id}`]); // a new request belongs to the first browser
    await Promise.all(Array.from({ length: 8 }, async () => {
      for (let next = all.shift(); next; next = all.shift()) {
        const [method, path, members, kind] = next;
        turns += 1;
        const from = { kind, origin: turns % 2 ? undefined : origin };
        let answer = await send(method, path, members, from);
        for (let busy = 0; answer.status === 503 && busy < 5; busy += 1) answer = await send(method, path, members, from);
        look(answer);
      }
    }));
  }
}

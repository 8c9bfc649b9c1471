// Attacks on logins of other users, while these sign in. Each attack fails, and the
// victim's login succeeds.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { arrival, authorizeURL, closeBrowser, code, signIn, stage, visit, enter } from './lib.mjs';
import { earlier, emptyHanded, opening, ownLogin, send, ways } from './thief.mjs';

const people = { totp: [...stage.users.totp], plain: [...stage.users.plain] };
const take = (kind) => people[kind].shift() ?? assert.fail(`the stage has no more users of kind ${kind}`);
const { vault, shop, desk, spa } = stage.clients;
const home = new URL(vault.redirect).origin;

// One server for the shop's pages, one for another site.
const html = (script) => `<!doctype html><meta charset="utf-8"><title>A page</title><link rel="icon" href="data:,"><body><script>${script}</script>`;
const submit = `window.submit = (to, fields) => {
  const form = Object.assign(document.createElement('form'), { method: 'POST', action: to });
  for (const [name, value] of Object.entries(fields)) form.append(Object.assign(document.createElement('input'), { type: 'hidden', name, value }));
  document.body.append(form);
  form.submit();
};`;
const serve = () => createServer((call, answer) => {
  const headers = { 'content-type': 'text/html; charset=utf-8' };
  if (call.url === '/hidden') headers['referrer-policy'] = 'no-referrer';
  answer.writeHead(200, headers).end(html(submit));
});
const servers = [[serve(), stage.pages], [serve(), stage.evil]];
before(() => Promise.all(servers.map(([server, origin]) => new Promise((up) => { server.listen(Number(new URL(origin).port), '127.0.0.1', up); }))));
after(async () => {
  await closeBrowser();
  for (const [server] of servers) {
    server.close();
    server.closeAllConnections();
  }
});

const at = (page, path) => page.waitForURL((url) => url.origin === stage.issuer && url.pathname === path);
const requestOf = (page) => new URL(page.url()).searchParams.get('requestId');
const session = async (context) => (await context.cookies(stage.issuer)).find((c) => c.name === 'sallyport_session')?.value;

async function prove(page, user) {
  await enter(page, await code(user.totp), '#mfa-submit');
}

// tokens redeems a code as the application does, and returns the user.
async function tokens(client, arrived, verifier) {
  assert.ok(arrived.url.searchParams.get('code'), `the login ended in ${arrived.url}`);
  const answer = await fetch(`${stage.issuer}/token`, { method: 'POST', body: new URLSearchParams({
    grant_type: 'authorization_code', code: arrived.url.searchParams.get('code'), client_id: client.id, redirect_uri: client.redirect, code_verifier: verifier }) });
  const found = await answer.json();
  assert.equal(answer.status, 200, JSON.stringify(found));
  const info = await fetch(`${stage.issuer}/userinfo`, { headers: { authorization: `Bearer ${found.access_token}` } });
  return (await info.json()).email;
}

// signsInHere checks that a login of the victim at an application ends as hers, by the
// session of her browser.
async function signsInHere(page, client, user) {
  const { url, verifier } = authorizeURL(client);
  const end = arrival(page, client);
  await page.goto(url).catch(() => {}); // nothing listens on the redirect URI
  const arrived = await end;
  assert.equal(arrived.url.searchParams.get('state'), 'state-of-the-browser-test');
  assert.equal(await tokens(client, arrived, verifier), user.email);
}

const thief = take('totp');

// Tests that do not depend on the database run on one.
const once = stage.whole ? test : () => {};

for (const [way, open] of Object.entries(ways)) {
  (way === 'generate' ? test : once)(`a login opened by a thief with ${way}, on the hosted pages`, () => visit({}, async (page) => {
    const user = take('totp');
    const id = await open(opening(vault));
    const own = await ownLogin(vault, thief);
    const tries = await earlier(id, user);
    await page.goto(`${stage.issuer}/continue?requestId=${id}`);
    await at(page, '/login');
    const all = { ids: [id], own: [own.token], tries, victim: user, origin: home };
    await signIn(page, user);
    await at(page, '/mfa');
    await emptyHanded('after the password', all);
    await prove(page, user);
    await at(page, '/consent');
    await emptyHanded('after the second factor', { ...all, adopts: true });
    const end = arrival(page, vault);
    await page.click('#consent-allow');
    const { url } = await end;
    assert.deepEqual([url.searchParams.get('state'), Boolean(url.searchParams.get('code'))], ['the-state-of-a-thief', true], 'her browser has the code, and her application did not ask for it');
    await emptyHanded('after the end', { ...all, adopts: true });
    await signsInHere(page, vault, user);
  }));
}

test('a login opened by an attacker, on the application\'s page', () => visit({}, async (page) => {
  const user = take('totp');
  const id = await ways.generate(opening(shop));
  const own = await ownLogin(shop, thief);
  const tries = await earlier(id, user);
  await page.goto(`${stage.pages}/login?requestId=${id}`);
  await page.evaluate(([to, all]) => window.submit(to, all), [`${stage.issuer}/login-srv/login`, { requestId: id, username: user.email, password: user.password }]);
  await page.waitForURL((url) => url.href.startsWith(`${stage.pages}/mfa?`));
  const { track_id: track, sub, requestId } = Object.fromEntries(new URL(page.url()).searchParams);
  const call = (path, members) => page.evaluate(async ([to, all]) => {
    const answer = await fetch(to, { method: 'POST', credentials: 'omit', headers: { 'content-type': 'application/json' }, body: JSON.stringify(all) });
    return (await answer.json()).data;
  }, [stage.issuer + path, members]);
  const list = await call('/verification-srv/v2/setup/public/configured/list', { sub, request_id: id });
  const begun = await call('/verification-srv/authentication/totp/initiation', { sub, request_id: id, usage_type: 'MULTIFACTOR_AUTHENTICATION' });
  const secret = [track, sub, begun.exchange_id.exchange_id, begun.status_id, ...list.configured_list.flatMap((m) => m.mediums.map((x) => x.id))];
  const all = { ids: [id, requestId], own: [own.token], tries, secret, victim: user, origin: stage.pages };
  await emptyHanded('after the password', { ...all, adopts: true });
  const proven = await call('/verification-srv/authentication/totp/verification', { exchange_id: begun.exchange_id.exchange_id, type: 'TOTP', passcode: await code(user.totp) });
  secret.push(proven.exchange_id.exchange_id);
  await emptyHanded('after the second factor', { ...all, adopts: true });
  const end = page.waitForRequest((q) => q.url().startsWith(shop.redirect));
  await page.evaluate(([to, all]) => window.submit(to, all), [`${stage.issuer}/login-srv/precheck/continue/${track}`, { track_id: track, requestId }]);
  const url = new URL((await end).url());
  assert.deepEqual([url.searchParams.get('state'), Boolean(url.searchParams.get('code'))], ['the-state-of-a-thief', true]);
  await emptyHanded('after the end', { ...all, adopts: true });
  const mine = authorizeURL(shop);
  const hers = page.waitForRequest((q) => q.url().startsWith(shop.redirect));
  await page.goto(mine.url);
  assert.equal(await tokens(shop, { url: new URL((await hers).url()) }, mine.verifier), user.email);
}));

// drained uses up the statuses, names and finishes that other callers have in a login.
async function drained(id, victim) {
  for (let i = 0; i < 25; i += 1) {
    await send('POST', '/verification-srv/authentication/PASSWORD/initiation', { request_id: id, email: victim.email, usage_type: 'INITIAL_AUTHENTICATION' });
    await send('POST', '/verification-srv/v2/setup/public/configured/list', { request_id: id, email: `nobody${i}@example.com` }, { origin: home });
  }
}

test('a login of the victim\'s browser, with a leaked request_id', () => visit({}, async (page, context) => {
  const user = take('totp');
  const own = await ownLogin(vault, thief);
  const { url, verifier } = authorizeURL(vault);
  await page.goto(url);
  await at(page, '/login');
  const id = requestOf(page);
  const binding = (await context.cookies(stage.issuer)).find((c) => c.name === 'sallyport_browser').value;
  const tries = await earlier(id, user);
  const all = { ids: [id], own: [own.token], tries, secret: ['state-of-the-browser-test', binding], victim: user, origin: home, adopts: true };
  await emptyHanded('nothing is proven', all);
  await drained(id, user);
  // Other callers have used up their share of names and statuses; her browser has more.
  for (const [path, members] of [['/api/login/v1/identify', { identifier: user.username }],
    ['/verification-srv/authentication/PASSWORD/initiation', { email: user.email, usage_type: 'INITIAL_AUTHENTICATION' }]]) {
    const reply = await context.request.post(stage.issuer + path, { headers: { origin: stage.issuer }, data: { request_id: id, ...members } });
    assert.equal(reply.status(), 200, `${path}: other callers used up what her browser may`);
  }
  await signIn(page, user);
  await at(page, '/mfa');
  await emptyHanded('after the password', all);
  await drained(id, user);
  await prove(page, user);
  await at(page, '/consent');
  await emptyHanded('after the second factor', all);
  const end = arrival(page, vault);
  await page.click('#consent-allow');
  assert.equal(await tokens(vault, await end, verifier), user.email);
  await emptyHanded('after the end', all);
}));

once('an app that the victim sets up in her browser', () => visit({}, async (page) => {
  const user = take('plain');
  const { url, verifier } = authorizeURL(vault);
  await page.goto(url);
  await signIn(page, user);
  await at(page, '/enroll');
  const all = { ids: [requestOf(page)], own: [(await ownLogin(vault, thief)).token], secret: ['state-of-the-browser-test'], victim: user, origin: home, adopts: true };
  await emptyHanded('before it begins', all);
  await page.click('#enroll-begin');
  const key = (await page.locator('#enroll-secret').innerText()).replace(/\s/g, '');
  const exchange = await page.locator('input[name=exchange]').inputValue();
  all.secret.push(key, exchange);
  await emptyHanded('while it waits for its first code', all);
  await enter(page, await code(key), '#enroll-submit');
  await at(page, '/recovery-codes');
  all.secret.push(...(await page.locator('#recovery-codes li').allInnerTexts()));
  await emptyHanded('while the recovery codes are shown', all);
  await page.click('#recovery-done');
  await at(page, '/consent');
  const end = arrival(page, vault);
  await page.click('#consent-allow');
  assert.equal(await tokens(vault, await end, verifier), user.email);
}));

// forced makes the victim's browser send requests from another site: forms as navigations,
// the rest as calls without preflight.
const forced = (id, mine) => [
  ['POST', `/login?requestId=${id}`, { username: thief.username, password: thief.password }],
  ['POST', '/login-srv/login', { requestId: id, username: thief.username, password: thief.password }],
  ['POST', '/continue', { login_token: mine.token }],
  ['POST', `/login-srv/precheck/continue/${mine.token}`, { track_id: mine.token, requestId: mine.id }],
  ['POST', `/restart?requestId=${id}`, {}],
  ['POST', `/cancel?requestId=${id}`, {}],
  ['POST', `/consent?requestId=${id}`, { decision: 'deny' }],
  ['POST', '/logout', { confirm: '1' }],
  ['GET', `/continue?requestId=${mine.id}`],
  ['GET', `/restart?requestId=${id}`],
  ['GET', `/cancel?requestId=${id}`],
  ['CALL', '/api/login/v1/password', { request_id: id, identifier: thief.username, password: thief.password }],
  ['CALL', '/api/login/v1/restart', { request_id: id }],
  ['CALL', '/login-srv/login/sdk', { requestId: id, username: thief.username, password: thief.password }],
];

once('a page elsewhere signs the victim in as a thief', () => visit({}, async (page, context) => {
  const user = take('totp');
  const mine = await ownLogin(shop, thief, true);
  const { url, verifier } = authorizeURL(vault);
  await page.goto(url);
  const id = requestOf(page);
  const other = await context.newPage();
  other.on('pageerror', () => {}); // refused calls
  const near = stage.evil.replace('127.0.0.1', 'localhost'); // same-site with the provider: its cookies are sent
  const sites = [`${near}/`, `${near}/hidden`, `${stage.evil}/`];
  const lure = async (when, expected, from) => {
    const before_ = await session(context);
    for (const site of from) {
      for (const [method, path, members] of forced(id, mine)) {
        await other.goto(site);
        if (method === 'CALL') {
          await other.evaluate(([to, body]) => fetch(to, { method: 'POST', mode: 'no-cors', credentials: 'include', headers: { 'content-type': 'text/plain' }, body }).catch(() => {}), [stage.issuer + path, JSON.stringify(members)]);
        } else {
          const shown = other.waitForResponse((r) => r.url().startsWith(stage.issuer) && r.request().isNavigationRequest());
          const done = other.waitForEvent('framenavigated', (f) => !f.url().startsWith(near) && !f.url().startsWith(stage.evil));
          await other.evaluate(([verb, to, all]) => { if (verb === 'POST') window.submit(to, all); else window.location = to; }, [method, stage.issuer + path, members]);
          await Promise.all([shown, done]);
        }
        assert.equal(await session(context), before_, `${when}: ${method} ${path} from ${site} changed who is signed in`);
      }
    }
    await page.goto(`${stage.issuer}/continue?requestId=${id}`);
    assert.equal(new URL(page.url()).pathname, expected, `${when}, moved by another site`);
  };
  await signIn(page, user);
  await at(page, '/mfa');
  await lure('after the password', '/mfa', sites.slice(0, 1));
  await prove(page, user);
  await at(page, '/consent');
  await lure('after the second factor', '/consent', sites);
  const end = arrival(page, vault);
  await page.click('#consent-allow');
  assert.equal(await tokens(vault, await end, verifier), user.email);
  assert.ok(await session(context));
  await signsInHere(page, spa, user);
}));

// waiting has logins that wait at their last step.
const waiting = {
  'by its own password': async (page, user) => {
    await page.goto(authorizeURL(desk).url);
    await signIn(page, user);
  },
  'by the session': async (page, user) => {
    const end = arrival(page, spa);
    await page.goto(authorizeURL(spa).url);
    await signIn(page, user);
    await end;
    await page.goto(authorizeURL(desk).url);
  },
};
for (const [how, prepare] of Object.entries(waiting)) {
  (how === 'by the session' ? test : once)(`a login waiting at the last step, proven ${how}, after signing out`, () => visit({}, async (page, context) => {
    const user = take('plain');
    await prepare(page, user);
    await at(page, '/consent');
    const id = requestOf(page);
    const tab = await context.newPage();
    await tab.goto(`${stage.issuer}/logout`);
    await tab.click('#logout-confirm');
    await at(tab, '/logged-out');
    const sent = [];
    page.on('request', (q) => { if (q.url().startsWith(desk.redirect)) sent.push(q.url()); });
    await page.click('#consent-allow'); // the page is still open
    await page.waitForLoadState();
    await page.goBack();
    for (const path of ['/continue', '/consent', '/login', '/mfa']) await page.goto(`${stage.issuer}${path}?requestId=${id}`).catch(() => {});
    assert.deepEqual(sent, [], 'the login was finished for the next user of the browser');
    assert.equal(await page.locator('#consent-allow').count(), 0);
    const silent = arrival(page, spa);
    await page.goto(authorizeURL(spa, { prompt: 'none' }).url).catch(() => {});
    assert.equal((await silent).url.searchParams.get('error'), 'login_required');
    const next = authorizeURL(desk);
    await page.goto(next.url);
    await signIn(page, user);
    await at(page, '/consent');
    const end = arrival(page, desk);
    await page.click('#consent-allow');
    assert.equal(await tokens(desk, await end, next.verifier), user.email);
  }));
}

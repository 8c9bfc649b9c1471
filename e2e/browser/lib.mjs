// Shared by the browser tests: one Chromium, the stage, and a user's devices (an
// authenticator app, a keyboard).
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const require = createRequire(import.meta.url);
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

// The stage is written by the Go test that starts the server: addresses, users, clients.
export const stage = JSON.parse(readFileSync(process.env.SALLYPORT_STAGE, 'utf8'));

let shared;
export async function browser() {
  shared ??= await chromium.launch({
    executablePath: process.env.SALLYPORT_CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', ...stage.args ?? []],
  });
  return shared;
}

export async function closeBrowser() {
  await shared?.close();
  shared = undefined;
}

// visit runs a test in a new profile and fails it on any script error or policy violation.
export async function visit(options, run) {
  const context = await (await browser()).newContext({ locale: 'en-GB', ...options });
  context.setDefaultTimeout(15000);
  const faults = [];
  context.on('page', (page) => {
    page.on('pageerror', (e) => faults.push(`script: ${e.message}`));
    page.on('console', (m) => { if (/Content Security Policy/i.test(m.text())) faults.push(`policy: ${m.text()}`); });
  });
  // Catches violations that are only reported or not logged.
  await context.addInitScript(() => document.addEventListener('securitypolicyviolation', (e) => {
    console.error(`Content Security Policy: ${e.effectiveDirective} ${e.blockedURI}`);
  }));
  try {
    await run(await context.newPage(), context);
  } finally {
    await context.close();
  }
  assert.deepEqual(faults, []);
}

// code returns a code of an authenticator app: RFC 6238, 30 seconds, by default SHA-1 and 6 digits.
// Steps at or before one the server accepted are refused, so each call for a user
// takes the next step inside the server's window of one step either side.
const lastStep = new Map();
export async function code(secret, algorithm = 'sha1', digits = 6) {
  for (;;) {
    const now = Math.floor(Date.now() / 30000);
    // Near the end of a step the previous one may expire before the server checks it.
    const oldest = Date.now() % 30000 < 22000 ? now - 1 : now;
    const step = Math.max(oldest, (lastStep.get(secret) ?? 0) + 1);
    if (step <= now + 1) {
      lastStep.set(secret, step);
      return codeAt(secret, step, algorithm, digits);
    }
    throw new Error('this user has used up the codes of the window: give the test a user of its own');
  }
}

export function codeAt(secret, step, algorithm = 'sha1', digits = 6) {
  const bits = [...secret.replace(/[\s=-]/g, '').toUpperCase()]
    .map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac(algorithm, key).update(counter).digest();
  const at = mac[mac.length - 1] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 10 ** digits).padStart(digits, '0');
}

// accessible fails on any finding of axe on the current page.
export async function accessible(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`), [], page.url());
}

// narrow fails when the page is wider than the window.
export async function fits(page) {
  await page.waitForLoadState('domcontentloaded'); // a click may have navigated
  const [content, window_] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  assert.ok(content <= window_, `${page.url()} is ${content} px wide in a window of ${window_} px`);
}

export async function signIn(page, user) {
  await page.fill('input[name=username]', user.username);
  await page.fill('input[name=password]', user.password);
  await page.click('#login-submit');
}

// enter types a code. With scripts the page submits a complete one by itself.
export async function enter(page, passcode, button, field = 'input[name=passcode]') {
  await page.waitForSelector(field);
  await page.waitForLoadState('domcontentloaded'); // its script has run
  const alone = await page.locator('#complete').isVisible();
  const digits = Number(await page.getAttribute(field, 'data-complete'));
  await page.fill(field, passcode);
  if (!alone || digits !== passcode.length) await page.click(button);
}

// newPassword types a new password: twice where a browser runs no scripts, so that nobody can see it.
export async function newPassword(page, plain, again = plain) {
  await page.waitForLoadState('domcontentloaded'); // its script has run
  await page.fill('#password-new', plain);
  if (await page.locator('#password-repeat').isVisible()) await page.fill('#password-repeat', again);
}

// authorizeURL begins a login without an application: the response goes to a redirect URI
// without a listener, which shot() reads from the request.
export function authorizeURL(client, extra = {}) {
  const verifier = 'a-verifier-that-is-long-enough-for-rfc-7636-and-fixed';
  const q = new URLSearchParams({
    client_id: client.id, redirect_uri: client.redirect, response_type: 'code', scope: 'openid profile email',
    state: 'state-of-the-browser-test', nonce: 'nonce-of-the-browser-test', code_challenge_method: 'S256',
    code_challenge: client.challenge, ...extra,
  });
  return { url: `${stage.issuer}/authorize?${q}`, verifier };
}

// arrival resolves with the client's URL the browser is redirected to. Nothing listens
// there, so the browser shows an error page; continuing earlier would be interrupted by it.
// The browser may load that page again by itself while the next login begins: an address
// whose code has arrived before is not an arrival.
const arrived = new WeakMap();
export async function arrival(page, client) {
  if (!arrived.has(page)) arrived.set(page, new Set());
  const before = arrived.get(page);
  const failed = page.waitForEvent('framenavigated', { predicate: (f) => f.url().startsWith('chrome-error:'), timeout: 15000 }).catch(() => {});
  const r = await page.waitForRequest((q) => q.url().startsWith(client.redirect) && q.isNavigationRequest() && !before.has(q.url()));
  if (new URL(r.url()).searchParams.has('code')) before.add(r.url());
  await failed;
  return { url: new URL(r.url()), method: r.method(), post: r.postData() };
}

// newest returns the newest code, link or text in messages to an address, as soon as there are that many
// with a pattern.
export async function newest(what, to, many = 1, pattern = /./) {
  for (const end = Date.now() + 15000; Date.now() < end;) {
    const all = (await (await fetch(`${stage.messages}/${what}?to=${encodeURIComponent(to)}`)).json()).filter((text) => pattern.test(text));
    if (all.length >= many) return all.at(-1);
    await new Promise((done) => setTimeout(done, 100));
  }
  return assert.fail(`fewer than ${many} ${what} to ${to}`);
}

// operator runs a command of the program and returns what it prints.
export async function operator(...args) {
  const r = await fetch(`${stage.messages}/command`, { method: 'POST', body: new URLSearchParams(args.map((arg) => ['arg', arg])) });
  const text = await r.text();
  assert.ok(r.ok, text);
  return text;
}

// redeem exchanges the code that arrived at a public client, and returns the token response.
export async function redeem(client, answer, verifier) {
  const r = await fetch(`${stage.issuer}/token`, { method: 'POST', body: new URLSearchParams({ grant_type: 'authorization_code',
    client_id: client.id, redirect_uri: client.redirect, code: answer.url.searchParams.get('code'), code_verifier: verifier }) });
  const tokens = await r.json();
  assert.equal(r.status, 200, JSON.stringify(tokens));
  return tokens;
}

// claims returns those of an ID token.
export const claims = ({ id_token: token }) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));

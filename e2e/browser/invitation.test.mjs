// Invitations, from an administrator over a mail to the application: by command and by the admin API,
// with a password, a passkey and a second factor; links that were used, revoked, or expired.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { rmSync, mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { arrival, authorizeURL, closeBrowser, code, enter, signIn, stage, visit } from './lib.mjs';
import { authenticator, laptop } from './authenticator.mjs';
import { checks, choose, expire, looks, mail, network, person, run, user } from './mailroom.mjs';

after(closeBrowser);

const { shop, bank } = stage.clients;
const password = 'seven ships at sea';
const invited = (options, act) => visit(network(options), act);
const invite = (address, ...more) => run('invitation', 'create', '--email', address, ...more);

// claims exchanges the code of an arrival, and returns what the access token says.
async function claims({ url }, client) {
  const answer = await fetch(`${stage.issuer}/token`, { method: 'POST', body: new URLSearchParams({ grant_type: 'authorization_code', client_id: client.id,
    redirect_uri: client.redirect, code: url.searchParams.get('code'), code_verifier: authorizeURL(client).verifier }) });
  const { access_token: token } = await answer.json();
  assert.ok(token, `${answer.status}`);
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
}

// gone is the page of an invitation that is over: there is no form, but a way on and somebody to ask.
async function gone(page) {
  await page.locator('#error h1').waitFor();
  assert.equal(await page.locator('input[type=password]').count(), 0);
  assert.equal(await page.getAttribute('#contact', 'href'), 'https://harbour.example/help');
  assert.ok(await page.locator('#home, #account').count());
}

for (const [look, options] of Object.entries({ ...looks, 'narrow, dark, without scripts': { ...looks['narrow and dark'], javaScriptEnabled: false } })) {
  test(`by command, with a password and the second factor that the bank demands: ${look}`, () => invited(options, async (page) => {
    const check = checks(page, options), address = person();
    await invite(address, '--role', 'editor', '--client', 'bank', '--language', options.locale ? 'de' : 'en', '--inviter', 'Vera Lind');
    const { text, link } = await mail(address);
    assert.match(text, options.locale ? /Vera Lind hat Sie .* eingeladen/ : /Vera Lind has invited you/);
    await page.goto(link);
    await check();
    assert.match(await page.innerText('main'), new RegExp(address));
    assert.match(await page.innerText('#inviter'), /^Vera Lind hat Sie zu .* eingeladen\.$|^Vera Lind has invited you to .*\.$/);
    await page.check('#terms');
    if (options.javaScriptEnabled === false) {
      await choose(page, password, 'seven ships at see');
      await page.waitForSelector('#password-repeat[aria-invalid=true]');
    }
    await check();
    await choose(page, password);
    await page.waitForSelector('#created');
    await check();
    assert.equal(await page.getAttribute('html', 'lang'), options.locale ? 'de' : 'en');
    await page.goto(authorizeURL(bank).url); // where the page leads to
    await signIn(page, { username: address, password });
    await page.click('#enroll-begin');
    await check();
    const secret = (await page.textContent('#enroll-secret')).replace(/\s/g, '');
    await enter(page, await code(secret), '#enroll-submit');
    const [answer] = await Promise.all([arrival(page, bank), page.click('#recovery-done')]);
    const { roles, acr } = await claims(answer, bank);
    assert.deepEqual(roles, ['editor']);
    assert.equal(acr, 'aal2');

    assert.equal((await page.goto(link)).status(), 410);
    await gone(page);
    await check();
  }));
}

for (const [look, options] of Object.entries(looks)) {
  test(`by the admin API, with a passkey, which is both factors: ${look}`, () => invited(options, async (page) => {
    const check = checks(page, options), address = person(), device = await authenticator(page, laptop);
    const dir = mkdtempSync(join(tmpdir(), 'key-'));
    await run('apikey', 'create', '--name', `inviter of ${address}`, '--dialect', 'admin', '--verb', 'read,write', '--out', join(dir, 'key'));
    const authorization = `Bearer ${readFileSync(join(dir, 'key'), 'utf8').trim()}`;
    rmSync(dir, { recursive: true });
    const made = await fetch(`${stage.admin}/admin/v1/invitations`, { method: 'POST', headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ email: address, roles: ['owner'], client: 'shop', profile: { given_name: 'Grace' } }) });
    assert.ok(made.ok, await made.text());
    const { link } = await mail(address);
    await device.present(false);
    await page.goto(link);
    await check();
    assert.equal(await page.inputValue('#claim-given_name'), 'Grace', 'what the administrator knows is filled in');
    await page.check('#terms');
    await page.click('#create-passkey');
    await page.waitForSelector('#create-ask', { state: 'attached' });
    await check();
    await page.click('#create-back');
    await device.present(true);
    await page.click('#create-passkey');
    await page.waitForSelector('#created');
    assert.equal((await device.credentials()).length, 1);
    assert.equal((await user(address)).status, 'active');
    const [answer] = await Promise.all([arrival(page, bank), page.goto(authorizeURL(bank).url).catch(() => {})]);
    const { roles, acr } = await claims(answer, bank);
    assert.deepEqual(roles, ['owner']);
    assert.ok(['aal2', 'phr'].includes(acr), acr);
  }));
}

test('an invitation signs nobody in, and a mail scanner accepts none', () => invited({}, async (page) => {
  const address = person();
  await invite(address, '--client', 'bank');
  const { link } = await mail(address);
  await fetch(link, { method: 'HEAD' });
  await invited({}, async (scanner) => {
    await scanner.goto(link, { waitUntil: 'networkidle' });
    await scanner.reload({ waitUntil: 'networkidle' });
  });
  assert.equal((await user(address)).status, 'pending');
  await page.goto(authorizeURL(bank).url); // a login waits in this browser
  await page.goto(link);
  await page.check('#terms');
  await choose(page, password);
  await page.waitForSelector('#created');
  await page.goto(`${stage.issuer}/account`);
  await page.waitForSelector('#login-form');
}));

test('a link that was used while its page was open in another browser', () => invited({}, (page) => invited({}, async (other) => {
  const address = person();
  await invite(address);
  const { link } = await mail(address);
  await page.goto(link);
  await other.goto(link);
  await other.check('#terms');
  await choose(other, password);
  await other.waitForSelector('#created');
  await page.check('#terms');
  await choose(page, 'eight ships at sea');
  await gone(page);
})));

test('a link that was revoked, also while its page is open', () => invited({}, async (page) => {
  const address = person(), check = checks(page, {});
  await invite(address);
  const { link } = await mail(address);
  await page.goto(link);
  await page.check('#terms');
  await run('invitation', 'revoke', '--yes', address);
  await choose(page, password);
  await gone(page);
  await check();
  assert.equal((await page.goto(link)).status(), 410);
  await gone(page);
  await assert.rejects(user(address), /no such user/);
}));

test('a link that expired, and the one that was sent after it', () => invited({}, async (page) => {
  const address = person();
  await invite(address, '--client', 'shop');
  const { link } = await mail(address);
  await expire();
  assert.equal((await page.goto(link)).status(), 410);
  await gone(page);
  assert.equal(await page.getAttribute('#home', 'href'), 'https://shop.example/');
  await run('invitation', 'resend', address);
  await page.goto((await mail(address, 2)).link);
  await page.fill('#claim-given_name', 'Grace');
  await page.check('#terms');
  await choose(page, password);
  await page.waitForSelector('#created');
  const [answer] = await Promise.all([arrival(page, shop), (async () => {
    await page.goto(authorizeURL(shop).url);
    await signIn(page, { username: address, password });
  })()]);
  assert.ok(answer.url.searchParams.get('code'));
}));

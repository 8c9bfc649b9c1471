// A user whose phone is gone: a recovery code, another factor, the operator; and a notice whose
// reader was not the one.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { accessible, arrival, authorizeURL, closeBrowser, code, enter, fits, newest, operator, redeem, signIn, stage, visit, newPassword } from './lib.mjs';

after(closeBrowser);

const users = [...stage.users.totp];
const take = () => users.shift() ?? assert.fail('the stage has no more users');
const { bank, remembers } = stage.clients;
const account = `${stage.issuer}/account`;
const contact = 'https://help.example.com/lost';

const checks = (page, options) => async () => {
  await fits(page);
  if (options.javaScriptEnabled !== false) await accessible(page);
};

const looks = {
  'wide and light': { viewport: { width: 1280, height: 900 } },
  'German, narrow and dark, without scripts': { viewport: { width: 320, height: 640 }, colorScheme: 'dark', locale: 'de-DE', javaScriptEnabled: false },
};

// enrolled sets up an authenticator app in the login, whose page asks for it, and arrives at the bank.
async function enrolled(page, check) {
  await page.check('#method-totp');
  await page.click('#enroll-begin');
  const secret = (await page.textContent('#enroll-secret')).replace(/\s/g, '');
  await check();
  const [answer] = await Promise.all([arrival(page, bank), (async () => {
    await enter(page, await code(secret), '#enroll-submit');
    await page.waitForSelector('#recovery-codes');
    await page.click('#recovery-done');
  })()]);
  assert.ok(answer.url.searchParams.get('code'));
}

for (const [look, options] of Object.entries(looks)) {
  test(`a recovery code, and a new phone in place of the lost one: ${look}`, () => visit(options, async (page) => {
    const user = take(), check = checks(page, options);
    await page.goto(authorizeURL(bank).url);
    await signIn(page, user);
    await page.click('#lost summary');
    assert.equal(await page.getAttribute('#lost-contact', 'href'), contact);
    await check();
    await page.click('#method-recovery');
    await enter(page, 'zzzz-bbbb-cccc-dddd-eeee-ffff', '#mfa-submit');
    await page.waitForSelector('#error');
    await check();
    const [answer] = await Promise.all([arrival(page, bank), enter(page, user.recovery[0], '#mfa-submit')]);
    assert.ok(answer.url.searchParams.get('code'));
    assert.match(await newest('texts', user.email), /\/account\/not-me\?about=/);

    await page.goto(account);
    await page.locator('#authenticators li a.risky').click();
    await page.waitForSelector('#remove-submit');
    await check();
    await page.click('#remove-submit');
    await page.waitForSelector('#notice');
    await check();
    await page.context().clearCookies();
    await page.goto(authorizeURL(bank).url);
    await signIn(page, user);
    await enrolled(page, check);
  }));

  test(`the operator's code after a reset: ${look}`, () => visit(options, async (page) => {
    const user = take(), check = checks(page, options);
    const [given] = /[0-9A-Z]{6}(-[0-9A-Z]{6}){3}/.exec(await operator('user', 'reset-factors', '--yes', user.username));
    await page.goto(authorizeURL(bank).url);
    await signIn(page, user);
    await page.waitForSelector('#demand-form');
    assert.equal(await page.getAttribute('#contact', 'href'), contact);
    await check();
    const here = page.url();
    for (const around of [`${here}&method=totp`, `${here.replace('/enroll', '/mfa')}`, `${here.replace('/enroll', '/continue')}`]) {
      await page.goto(around);
      assert.equal(await page.locator('#enroll-secret, #enroll-begin').count(), 0, `${around}: the password alone enrols`);
      await page.waitForSelector('#demand-form');
    }
    const wrong = `${given[0] === 'A' ? 'B' : 'A'}${given.slice(1)}`;
    await page.fill('#enrollment-code', wrong);
    await page.click('#demand-submit');
    await page.waitForSelector('#error');
    await check();
    await page.fill('#enrollment-code', given.toLowerCase());
    await page.click('#demand-submit');
    await page.waitForSelector('#enroll-begin');
    await check();
    await enrolled(page, check);

    // It was good once.
    await operator('user', 'reset-factors', '--yes', user.username);
    await page.context().clearCookies();
    await page.goto(authorizeURL(bank).url);
    await signIn(page, user);
    await page.fill('#enrollment-code', given);
    await page.click('#demand-submit');
    await page.waitForSelector('#error');
  }));
}

test('a code by mail after a reset', () => visit({}, async (page) => {
  const user = take(), check = checks(page, {});
  await operator('user', 'reset-factors', '--yes', user.username);
  await page.goto(authorizeURL(bank).url);
  await signIn(page, user);
  await page.click('#demand-mail');
  await page.waitForSelector('#demand-mailed');
  await check();
  await page.fill('#enrollment-code', await newest('codes', user.email));
  await page.click('#demand-submit');
  await page.waitForSelector('#enroll-begin');
  await enrolled(page, check);
}));

test('another factor', () => visit({}, async (page) => {
  const user = take(), check = checks(page, {});
  await page.goto(account);
  await signIn(page, user);
  await enter(page, await code(user.totp), '#mfa-submit');
  await page.click('#email-add');
  await page.click('#email-form button.main');
  await enter(page, await newest('codes', user.email), '#email-submit');
  await page.waitForSelector('#notice');
  await page.context().clearCookies();

  await page.goto(authorizeURL(bank).url);
  await signIn(page, user);
  await page.waitForSelector('#others');
  await check();
  if (!await page.locator('#mfa-send').count()) await page.click('#method-email');
  await page.click('#mfa-send');
  const [answer] = await Promise.all([arrival(page, bank), (async () => enter(page, await newest('codes', user.email, 2), '#mfa-submit'))()]);
  assert.ok(answer.url.searchParams.get('code'));
}));

test('this was not me: from the mail to ended sessions', () => visit({}, async (page, context) => {
  const user = take();
  await page.goto(authorizeURL(remembers).url);
  await Promise.all([arrival(page, remembers), (async () => {
    await signIn(page, user);
    await page.check('#remember');
    await enter(page, await code(user.totp), '#mfa-submit');
  })()]);
  await visit({}, async (thief) => {
    const { url, verifier } = authorizeURL(remembers, { scope: 'openid offline_access' });
    await thief.goto(url);
    const [answer] = await Promise.all([arrival(thief, remembers), (async () => {
      await signIn(thief, user);
      await thief.click('#method-recovery');
      await enter(thief, user.recovery[0], '#mfa-submit');
    })()]);
    const stolen = await redeem(remembers, answer, verifier);
    assert.ok(stolen.refresh_token);
    await thief.goto(account);
    await thief.waitForSelector('#account');

    const told = /\S+\/account\/not-me\S*about=recovery_code_used/;
    const [link] = told.exec(await newest('texts', user.email, 1, told));
    for (const method of ['GET', 'HEAD', 'GET']) assert.equal((await fetch(link, { method })).status, 200); // a mail scanner
    await thief.reload();
    await thief.waitForSelector('#account');
    await visit({ viewport: { width: 320, height: 640 }, colorScheme: 'dark' }, async (owner) => {
      const check = checks(owner, {});
      await owner.goto(link);
      await owner.waitForSelector('#not-me');
      assert.equal(await owner.getAttribute('#contact', 'href'), contact);
      await check();
      await owner.click('#not-me-submit');
      await signIn(owner, user);
      await enter(owner, await code(user.totp), '#mfa-submit');
      await owner.waitForSelector('#who');
      await check();
      await owner.click('#not-me-submit');
      await owner.waitForSelector('#password-new');
      await check();
      await owner.fill('#password-old', user.password);
      await newPassword(owner, 'seven grey geese on ice');
      await owner.click('#password-submit');
      await owner.waitForSelector('#notice');
    });
    await thief.reload();
    await thief.waitForSelector('#login-form');
    const r = await fetch(`${stage.issuer}/token`, { method: 'POST', body: new URLSearchParams({ grant_type: 'refresh_token', client_id: remembers.id, refresh_token: stolen.refresh_token }) });
    assert.equal((await r.json()).error, 'invalid_grant');
  });
  // The owner's own device is forgotten too.
  await context.clearCookies({ name: 'sallyport_session' });
  await page.goto(authorizeURL(remembers).url);
  await signIn(page, { ...user, password: 'seven grey geese on ice' });
  await page.waitForSelector('#mfa-form');
}));

test('every dead end names the contact', () => visit({}, async (page) => {
  for (const path of ['/authorize?client_id=nobody', '/nowhere', '/reset/gone', '/signup/gone', '/invitation/gone', '/account/not-me', '/account/undo?token=gone', '/login?requestId=gone']) {
    await page.goto(stage.issuer + path);
    assert.equal(await page.locator(`a[href="${contact}"]`).count(), 1, path);
    await accessible(page);
  }
}));

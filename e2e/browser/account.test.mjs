// The account page in a real browser: checked with axe, in a narrow window, in dark mode
// and in German, with and without scripts; and used as users do.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { accessible, closeBrowser, code, fits, signIn, stage, visit, enter, newPassword } from './lib.mjs';

after(closeBrowser);

const users = { totp: [...stage.users.totp], plain: [...stage.users.plain] };
const take = (kind) => users[kind].shift() ?? assert.fail(`the stage has no more users of kind ${kind}`);
const account = `${stage.issuer}/account`;

const looks = {
  'wide and light': { viewport: { width: 1280, height: 900 } },
  'narrow and dark': { viewport: { width: 320, height: 640 }, colorScheme: 'dark' },
  'German, narrow': { viewport: { width: 320, height: 640 }, locale: 'de-DE' },
  'without scripts': { javaScriptEnabled: false },
};

for (const [look, options] of Object.entries(looks)) {
  test(`two authenticators, named and removed, and recovery codes: ${look}`, () => visit(options, async (page, context) => {
    const user = take('plain');
    const check = async () => {
      await fits(page);
      if (options.javaScriptEnabled !== false) await accessible(page);
    };
    const secretOf = async () => (await page.textContent('#enroll-secret')).replace(/\s/g, '');
    await page.goto(account);
    await signIn(page, user);
    await page.waitForSelector('#account');
    assert.equal(await page.getAttribute('html', 'lang'), options.locale === 'de-DE' ? 'de' : 'en');
    await check();

    await page.click('#totp-add');
    await page.fill('#totp-name', 'Work phone');
    await check();
    await page.click('#totp-begin');
    const first = await secretOf();
    assert.ok(await page.locator('#enroll-qr').evaluate((i) => i.naturalWidth > 100));
    await enter(page, '000000', '#totp-submit');
    await page.waitForSelector('#error');
    assert.equal(await secretOf(), first, 'a typo needs no second scan');
    await check();
    await enter(page, await code(first), '#totp-submit');
    await page.waitForSelector('#recovery-codes');
    const codes = await page.locator('#recovery-codes code').allTextContents();
    assert.equal(codes.length, 10);
    await check();
    await page.click('#recovery-done');
    await check();

    // The session has just proven the new factor.
    await page.click('#totp-add');
    await page.fill('#totp-name', 'Old tablet');
    await page.click('summary');
    await page.selectOption('#totp-shape', 'SHA512/8');
    await check();
    await page.click('#totp-begin');
    const second = await secretOf();
    await check();
    await enter(page, await code(second, 'sha512', 8), '#totp-submit');
    await page.waitForSelector('#notice');
    assert.match(await page.textContent('#authenticators'), /Work phone[^]*Old tablet/);
    await check();

    // Another browser chooses one of them.
    const other = await context.browser().newContext(options);
    const elsewhere = await other.newPage();
    await elsewhere.goto(account);
    await signIn(elsewhere, user);
    await elsewhere.waitForSelector('#mfa-form');
    if (!/Old tablet/.test(await elsewhere.textContent('#hint'))) await elsewhere.locator('.others a', { hasText: 'Old tablet' }).click();
    assert.match(await elsewhere.textContent('#hint'), /Old tablet/);
    await enter(elsewhere, await code(second, 'sha512', 8), '#mfa-submit');
    await elsewhere.waitForSelector('#account');

    const row = page.locator('#authenticators li', { hasText: 'Old tablet' });
    await row.locator('a').first().click();
    await check();
    await page.fill('#name', 'Tablet');
    await page.click('#rename-submit');
    await page.waitForSelector('#notice');
    await page.locator('#authenticators li', { hasText: 'Tablet' }).locator('a').nth(1).click();
    await check();
    await page.click('#remove-submit');
    await page.waitForSelector('#notice');
    assert.doesNotMatch(await page.textContent('#authenticators'), /Tablet/);
    await elsewhere.reload();
    await elsewhere.waitForSelector('#login-form');
    await other.close();

    await page.click('#recovery-new');
    await page.waitForSelector('#recovery-submit');
    await check();
    await page.click('#recovery-submit');
    const fresh = await page.locator('#recovery-codes code').allTextContents();
    assert.equal(fresh.length, 10);
    assert.equal(fresh.filter((c) => codes.includes(c)).length, 0);
    await check();
  }));

  test(`password and sessions: ${look}`, () => visit(options, async (page, context) => {
    const user = take('plain');
    const check = async () => {
      await fits(page);
      if (options.javaScriptEnabled !== false) await accessible(page);
    };
    await page.goto(account);
    await signIn(page, user);
    await page.waitForSelector('#account');
    const other = await context.browser().newContext(options);
    const elsewhere = await other.newPage();
    const enter = async (password) => {
      await elsewhere.goto(account);
      await signIn(elsewhere, { ...user, password });
    };
    await enter(user.password);
    await page.reload();
    await check();
    await page.click('#sessions-end-others');
    await page.waitForSelector('#notice');
    await elsewhere.reload();
    await elsewhere.waitForSelector('#login-form');

    await enter(user.password);
    await page.goto(account);
    await page.click('#password-change');
    await check();
    const change = async (old, fresh) => {
      await page.fill('#password-old', old);
      await newPassword(page, fresh);
      await page.click('#password-submit');
    };
    await change('not the password', 'seven grey geese on ice');
    await page.waitForSelector('#error');
    await check();
    await change(user.password, 'seven grey geese on ice');
    await page.waitForSelector('#notice');
    await elsewhere.reload();
    await elsewhere.waitForSelector('#login-form');
    await enter(user.password);
    await elsewhere.waitForSelector('#error');
    await enter('seven grey geese on ice');
    await elsewhere.waitForSelector('#account');
    await other.close();
  }));
}

test('usable by keyboard', () => visit({}, async (page) => {
  const user = take('plain');
  await page.goto(account);
  await signIn(page, user);
  await page.waitForSelector('#account');
  for (let i = 0; i < 10 && await page.evaluate(() => document.activeElement.id) !== 'totp-add'; i++) await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#totp-name:focus');
  await page.keyboard.type('Phone');
  await page.keyboard.press('Enter');
  const secret = (await page.textContent('#enroll-secret')).replace(/\s/g, '');
  for (let i = 0; i < 10 && await page.evaluate(() => document.activeElement.id) !== 'passcode'; i++) await page.keyboard.press('Tab');
  await page.keyboard.type(await code(secret));
  await page.keyboard.press('Enter');
  await page.waitForSelector('#recovery-codes');
}));

test('a factor that no login requires must still be proven', () => visit({}, async (page) => {
  const user = take('totp');
  await page.goto(account);
  await signIn(page, user);
  await page.waitForSelector('#mfa-form');
  await page.goto(`${account}/password`);
  await page.waitForSelector('#mfa-form');
  await enter(page, await code(user.totp), '#mfa-submit');
  await page.waitForSelector('#password-form');
}));

test('signing out, and a cancelled sign-in, end on a page', () => visit({}, async (page) => {
  const user = take('plain');
  await page.goto(account);
  await page.click('#cancel');
  await page.waitForSelector('#onward');
  await fits(page);
  await accessible(page);
  await page.click('#onward');
  await signIn(page, user);
  await page.waitForSelector('#account');
  await page.click('#logout');
  await page.click('#logout-confirm');
  await page.waitForSelector('#logged-out');
  await page.goto(account);
  await page.waitForSelector('#login-form');
}));

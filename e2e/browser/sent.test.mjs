// Codes by mail and text message on the hosted pages: enrolling an address, signing in, sending
// another code, a code that is not delivered, and a forgotten password; with and without scripts.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { authenticator, laptop } from './authenticator.mjs';
import { accessible, arrival, authorizeURL, closeBrowser, fits, newest, signIn, stage, visit, enter, newPassword } from './lib.mjs';

after(closeBrowser);

const users = [...stage.users.plain];
const take = () => users.shift() ?? assert.fail('the stage has no more users');
const { alone, bank, spa } = stage.clients;

const codes = async (to) => (await fetch(`${stage.messages}/codes?to=${encodeURIComponent(to)}`)).json();

// mail returns the newest code to an address, as soon as there are that many.
const mail = (to, many) => newest('codes', to, many);

// sees waits until the page says something of the code.
const sees = (page, text) => page.locator('#sending', { hasText: text }).waitFor();

// enrol signs in and enrols the user's own mail address.
async function enrol(page, user, check = async () => {}) {
  await page.goto(authorizeURL(bank).url);
  await signIn(page, user);
  await page.check('#method-email');
  await page.click('#enroll-begin');
  assert.equal(await page.inputValue('#address'), user.email);
  await check();
  assert.deepEqual(await codes(user.email), []);
  await page.click('#enroll-send');
  await page.waitForSelector('#enroll-submit');
  await check();
}

async function finish(page, user) {
  await enter(page, await mail(user.email, 1), '#enroll-submit');
  const [answer] = await Promise.all([arrival(page, bank), page.click('#recovery-done')]);
  assert.ok(answer.url.searchParams.get('code'));
}

for (const [look, options] of Object.entries({
  wide: { viewport: { width: 1280, height: 900 } },
  'narrow and dark': { viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
})) {
  test(`enrolment by mail, then a code of a login: ${look}`, () => visit(options, async (page, context) => {
    const user = take();
    const check = async () => { await fits(page); await accessible(page); };
    const addresses = [];
    page.on('request', (r) => addresses.push(r.url()));
    await enrol(page, user, check);
    await sees(page, `A code was sent to ${user.email}`);
    await check();
    const exchange = await page.inputValue('#enroll-form [name=exchange]');
    await finish(page, user);

    await context.clearCookies();
    await page.goto(authorizeURL(bank).url);
    await signIn(page, user);
    await check();
    await page.click('#mfa-send');
    await sees(page, 'A code was sent to');
    const again = page.locator('#send-again');
    assert.ok(await again.isDisabled());
    assert.match(await again.textContent(), /in 0:\d\d$/);
    await again.evaluate((button) => { button.disabled = false; button.click(); }); // earlier than the page lets the user
    await page.getByText('A new code cannot be sent yet').waitFor();
    await check();
    assert.equal((await codes(user.email)).length, 2, 'the server refused a third code');
    const used = await page.inputValue('#mfa-form [name=exchange]');
    const [answer] = await Promise.all([arrival(page, bank), (async () => {
      await enter(page, await mail(user.email, 2), '#mfa-submit');
    })()]);
    assert.ok(answer.url.searchParams.get('code'));
    for (const address of addresses) {
      for (const secret of [exchange, used, user.email, encodeURIComponent(user.email)]) assert.ok(!address.includes(secret), address);
    }
  }));
}

test('a code that is not delivered: the page says so and offers another way', () => visit({}, async (page, context) => {
  const user = take();
  await enrol(page, user);
  await finish(page, user);
  await fetch(`${stage.messages}/refuse?to=${encodeURIComponent(user.email)}`, { method: 'POST' });
  await context.clearCookies();
  await page.goto(authorizeURL(bank).url);
  await signIn(page, user);
  await page.click('#mfa-send');
  await sees(page, 'could not be delivered');
  await fits(page);
  await accessible(page);
  await page.click('#method-recovery');
  await page.waitForSelector('input[name=passcode]');
  assert.equal(await page.locator('#sending').count(), 0);
}));

test('without scripts', () => visit({ javaScriptEnabled: false }, async (page, context) => {
  const user = take();
  await page.goto(authorizeURL(bank).url);
  await signIn(page, user);
  await page.check('#method-email');
  await page.click('#enroll-begin');
  await page.fill('#address', 'nobody@example.invalid');
  await page.click('#enroll-send');
  await sees(page, 'We are sending a code to nobody@example.invalid');
  await page.click('#enroll-correct');
  await page.fill('#address', user.email);
  await page.click('#enroll-send');
  await sees(page, `We are sending a code to ${user.email}`);
  await fits(page);
  await finish(page, user);
  await context.clearCookies();
  await page.goto(authorizeURL(bank).url);
  await signIn(page, user);
  await page.click('#mfa-send');
  await mail(user.email, 2);
  await page.click('#send-again');
  await page.getByText(/you have to wait \d+ seconds for the next code/).waitFor();
  await fits(page);
  const [answer] = await Promise.all([arrival(page, bank), (async () => {
    await enter(page, await mail(user.email, 2), '#mfa-submit');
  })()]);
  assert.ok(answer.url.searchParams.get('code'));
}));

// A code in place of the password: begun by name, loaded again, left and found by the back button.
for (const [look, options] of Object.entries({
  'wide': { viewport: { width: 1280, height: 900 } },
  'narrow, dark, in German and without scripts': { viewport: { width: 320, height: 844 }, colorScheme: 'dark', locale: 'de-DE', javaScriptEnabled: false },
})) {
  test(`a code by mail in place of the password: ${look}`, () => visit({}, async (enrolling, context) => {
    const user = take();
    await enrol(enrolling, user);
    await finish(enrolling, user);
    const one = await fetch(`${stage.messages}/one-factor?user=${encodeURIComponent(user.username)}`, { method: 'POST' });
    assert.ok(one.ok, await one.text());
    await context.clearCookies();
    await visit(options, async (page) => {
      const check = async () => { await fits(page); if (options.javaScriptEnabled !== false) await accessible(page); };
      const addresses = [];
      page.on('request', (r) => addresses.push(r.url()));
      await page.goto(authorizeURL(alone).url);
      await check();
      await page.fill('#username', user.email);
      await page.click('#login-email');
      await page.waitForSelector('#code-submit');
      await check();
      assert.equal(await page.textContent('#code-name'), user.email);
      const sent = await mail(user.email, 2);
      await page.reload();
      await page.click('#code-other-name');
      await page.waitForSelector('#login-submit');
      await page.goBack();
      assert.equal(await page.textContent('#code-name'), user.email);
      await page.fill('#passcode', '12');
      await page.press('#passcode', 'Enter');
      await page.waitForSelector('#error');
      await check();
      assert.equal((await codes(user.email)).length, 2, 'nothing was sent again');
      const [answer] = await Promise.all([arrival(page, alone), enter(page, sent, '#code-submit')]);
      assert.ok(answer.url.searchParams.get('code'));
      for (const address of addresses) {
        for (const secret of [sent, user.email, encodeURIComponent(user.email)]) assert.ok(!address.includes(secret), address);
      }
    });
  }));
}

for (const [look, options] of Object.entries({
  wide: { viewport: { width: 1280, height: 900 } },
  'narrow, dark, without scripts': { viewport: { width: 320, height: 700 }, colorScheme: 'dark', javaScriptEnabled: false },
})) {
  test(`a forgotten password: ${look}`, () => visit(options, async (page, context) => {
    const user = take();
    const scripts = options.javaScriptEnabled !== false;
    const check = async () => { await fits(page); if (scripts) await accessible(page); };
    await page.goto(authorizeURL(bank).url);
    await page.click('#forgot');
    await page.waitForSelector('#forgot-submit');
    await check();
    await page.fill('#username', user.username);
    await page.keyboard.press('Enter');
    await page.waitForSelector('#code-submit');
    await check();
    assert.equal(await page.locator('#send-again').isDisabled(), scripts);
    const code = await mail(user.email, 1);
    const [link] = await (await fetch(`${stage.messages}/links?to=${encodeURIComponent(user.email)}`)).json();
    await visit({}, async (scanner) => { // which fetches the link and runs its scripts first
      await scanner.request.head(link);
      for (const again of [false, true]) {
        assert.equal((await (again ? scanner.reload() : scanner.goto(link))).status(), 200);
        await scanner.waitForLoadState('networkidle');
      }
    });
    await enter(page, code.replace(/./, (digit) => (Number(digit) + 1) % 10), '#code-submit');
    await page.getByText('This code does not work').waitFor();
    await check();
    await enter(page, code, '#code-submit');
    await page.waitForSelector('#reset-submit');
    await check();
    const fill = async (plain, again = plain) => {
      await newPassword(page, plain, again);
      await page.click('#reset-submit');
    };
    if (scripts) {
      await page.fill('#password-new', 'seven');
      await page.getByText('5 of at least 8 characters').waitFor();
      await page.fill('#password-new', 'seven ships');
      await page.getByText('Long enough.').first().waitFor();
    } else {
      await fill('seven ships at sea', 'seven ships at see');
      await page.getByText('The two passwords are not the same').waitFor();
    }
    await check();
    await fill(user.email); // the browser refuses what is too short, so this is for the server
    await page.waitForSelector('#password-new[aria-invalid=true]');
    await check();
    await fill('seven ships at sea');
    await page.waitForSelector('#changed');
    await check();
    await page.click('#onward');
    await page.waitForSelector('#login-submit');
    await signIn(page, { ...user, password: 'seven ships at sea' });
    await page.waitForSelector('#enroll-begin');

    await context.clearCookies();
    assert.equal((await page.goto(link)).status(), 410);
    await page.getByText('This link does not work any more').waitFor();
    assert.equal(await page.locator('input[type=password]').count(), 0);
    await check();
    await page.click('#forgot');
    await page.waitForSelector('#forgot-submit');
  }));
}

test('who forgot the password may have a passkey', () => visit({ viewport: { width: 320, height: 700 } }, async (page, context) => {
  const user = take(), device = await authenticator(page, laptop);
  await device.present(false);
  await page.goto(authorizeURL(spa).url);
  await page.waitForSelector('input[name=offer][value=yes]', { state: 'attached' });
  await signIn(page, user);
  await page.waitForSelector('#offer-form');
  await device.present(true);
  await Promise.all([arrival(page, spa), (async () => {
    await page.click('#offer-create, #offer-ask');
    await page.click('#recovery-done');
  })()]);
  await context.clearCookies();
  await device.present(false);
  await page.goto(authorizeURL(spa).url);
  await page.click('#forgot');
  await page.waitForSelector('#forgot-submit');
  await page.waitForSelector('#passkey-ask');
  assert.equal(await page.getAttribute('#username', 'autocomplete'), 'username webauthn');
  await fits(page);
  await accessible(page);
  const here = page.url();
  await page.goto('about:blank');
  await device.present(true);
  const [answer] = await Promise.all([arrival(page, spa), page.goto(here).catch(() => {})]);
  assert.ok(answer.url.searchParams.get('code'), 'the virtual authenticator chooses what the user would');
}));

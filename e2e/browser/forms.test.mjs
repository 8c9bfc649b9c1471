// What the forms of the hosted pages do for those who fill them in: waits that count down, codes
// that submit by themselves, errors that leave the field in view, sheets to print.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { accessible, arrival, authorizeURL, closeBrowser, code, enter, fits, signIn, stage, visit } from './lib.mjs';

after(closeBrowser);

const users = { totp: [...stage.users.totp], plain: [...stage.users.plain] };
const take = (kind) => users[kind].shift() ?? assert.fail(`the stage has no more users of kind ${kind}`);
const { spa, bank } = stage.clients;
const phone = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true };
const typed = 'input[name=passcode]';

for (const reducedMotion of ['no-preference', 'reduce']) {
  test(`a wait counts down and frees the button: motion ${reducedMotion}`, () => visit({ reducedMotion }, async (page) => {
    const user = take('plain');
    await page.goto(authorizeURL(spa).url);
    for (let i = 0; i < 5; i++) await signIn(page, { ...user, password: `wrong ${i}` });
    await page.clock.install();
    await page.fill('input[name=username]', user.username);
    await page.fill('input[name=password]', user.password);
    await page.click('#login-submit');
    const button = page.locator('#login-submit');
    await page.getByText('Too many wrong passwords').waitFor();
    assert.ok(await button.isDisabled());
    await accessible(page); // runs by the clock
    await page.clock.pauseAt(await page.evaluate(() => Date.now()) + 5000);
    const left = async () => Number(/^Try again in (\d+):(\d\d)$/.exec(await button.textContent()).slice(1).reduce((m, s) => 60 * m + Number(s), 0));
    const before = await left();
    assert.ok(before > 20 && before <= 900, `${before} s`);
    await page.clock.runFor(3000);
    assert.equal(before - await left(), reducedMotion === 'reduce' ? 0 : 3);
    await page.clock.runFor(1000 * before);
    assert.ok(await button.isEnabled());
    assert.equal(await button.textContent(), 'Sign in');
    assert.match(await page.innerText('#error'), /You can try again now\./);
    assert.doesNotMatch(await page.innerText('#error'), /\d+ minutes/);
  }));
}

// posts counts the forms that a page sends to an address.
function posts(page, path) {
  const seen = [];
  page.on('request', (r) => { if (r.method() === 'POST' && new URL(r.url()).pathname === path) seen.push(r); });
  return seen;
}

test('six digits submit by themselves, once', () => visit({}, async (page) => {
  const user = take('totp');
  const sent = posts(page, '/mfa');
  await page.goto(authorizeURL(bank).url);
  await signIn(page, user);
  await page.getByText('as soon as you have typed all 6 digits').waitFor();
  const [answer] = await Promise.all([arrival(page, bank), (async () => {
    await page.locator(typed).pressSequentially(await code(user.totp));
    await page.keyboard.press('Enter').catch(() => {}); // as users do who do not know
  })()]);
  assert.ok(answer.url.searchParams.get('code'));
  assert.equal(sent.length, 1);
}));

test('a code that is pasted or filled in submits itself, spaces included', () => visit({}, async (page) => {
  const user = take('totp');
  await page.goto(authorizeURL(bank).url);
  await signIn(page, user);
  const right = await code(user.totp);
  const [answer] = await Promise.all([arrival(page, bank), page.fill(typed, `${right.slice(0, 3)} ${right.slice(3)}`)]);
  assert.ok(answer.url.searchParams.get('code'));
}));

test('a code that is being corrected is not submitted', () => visit({}, async (page) => {
  const user = take('totp');
  const sent = posts(page, '/mfa');
  await page.goto(authorizeURL(bank).url);
  await signIn(page, user);
  const field = page.locator(typed);
  await field.pressSequentially('12345');
  await page.keyboard.press('Home');
  await page.keyboard.type('9'); // six digits, the last of them in front
  await page.fill(typed, '');
  await page.fill(typed, '0000000');
  await page.keyboard.press('End');
  await page.keyboard.press('Backspace'); // one too many
  await page.fill(typed, 'abcdef');
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  assert.equal(sent.length, 0);
  await page.fill(typed, '');
  await field.pressSequentially('000000');
  await page.waitForSelector('#error');
  assert.equal(sent.length, 1);
  assert.equal(await page.getAttribute(typed, 'aria-invalid'), 'true');
  await field.pressSequentially('111111'); // beside an error the user decides
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  assert.equal(sent.length, 1);
  const [answer] = await Promise.all([arrival(page, bank), enter(page, await code(user.totp), '#mfa-submit')]);
  assert.ok(answer.url.searchParams.get('code'));
  assert.equal(sent.length, 2);
}));

test('a password can be shown, and Caps Lock is reported', () => visit({}, async (page) => {
  await page.goto(authorizeURL(spa).url);
  const field = page.locator('#password');
  await page.getByRole('button', { name: 'Show password' }).click();
  assert.equal(await field.getAttribute('type'), 'text');
  await page.getByRole('button', { name: 'Hide password' }).click();
  assert.equal(await field.getAttribute('type'), 'password');
  const press = (on) => field.evaluate((f, modifierCapsLock) => f.dispatchEvent(new KeyboardEvent('keydown', { key: 'a', modifierCapsLock })), on);
  await press(true);
  assert.equal(await page.locator('.caps').innerText(), 'Caps Lock is on.');
  await accessible(page);
  await press(false);
  assert.equal(await page.locator('.caps').textContent(), '');
}));

for (const locale of ['en-GB', 'de-DE']) {
  test(`an error leaves the field in a phone's view: ${locale}`, () => visit({ ...phone, locale }, async (page) => {
    const user = take('totp');
    const box = async (selector) => {
      await page.waitForLoadState('domcontentloaded');
      return page.locator(selector).evaluate((e) => { const r = e.getBoundingClientRect(); return { top: r.top + window.scrollY, bottom: r.bottom, seen: r.top >= 0 && r.bottom <= window.innerHeight }; });
    };
    await page.goto(authorizeURL(bank).url);
    const password = await box('#password');
    assert.ok(password.seen);
    await signIn(page, { ...user, password: 'wrong' });
    await page.waitForSelector('#error');
    const again = await box('#password');
    assert.ok(again.seen && Math.abs(again.top - password.top) < 2, JSON.stringify([password, again]));
    await signIn(page, user);
    const passcode = await box(typed);
    assert.ok(passcode.seen);
    for (const wrong of ['000000', '0']) {
      await enter(page, wrong, '#mfa-submit');
      await page.waitForSelector('#error');
      const after = await box(typed);
      assert.ok(after.seen && Math.abs(after.top - passcode.top) < 2, JSON.stringify([wrong, passcode, after]));
      await fits(page);
    }
  }));
}

test('on a phone the link to the app comes first', async () => {
  for (const [options, first] of [[phone, true], [{ viewport: { width: 1280, height: 900 } }, false]]) {
    await visit(options, async (page) => {
      await page.goto(authorizeURL(bank).url);
      await signIn(page, take('plain'));
      await page.click('#enroll-begin');
      const top = (selector) => page.locator(selector).evaluate((e) => e.getBoundingClientRect().top);
      assert.match(await page.getAttribute('#enroll-open', 'href'), /^otpauth:\/\/totp\//);
      assert.equal(await top('#enroll-open') < await top('#enroll-qr'), first);
      await fits(page);
      await accessible(page);
    });
  }
});

test('printed recovery codes say whose, where and when, and nothing else', () => visit({}, async (page) => {
  const user = take('plain');
  await page.goto(authorizeURL(bank).url);
  await signIn(page, user);
  await page.click('#enroll-begin');
  const secret = (await page.textContent('#enroll-secret')).replace(/\s/g, '');
  await enter(page, await code(secret), '#enroll-submit');
  await page.waitForSelector('#recovery-codes');
  assert.equal(await page.locator('.sheet-head').isVisible(), false);
  const codes = await page.locator('#recovery-codes code').allInnerTexts();
  await page.emulateMedia({ media: 'print' });
  const [whose, when, ...rest] = (await page.innerText('body')).split('\n').map((line) => line.trim()).filter(Boolean);
  assert.equal(whose, `Recovery codes of ${user.email} for Sallyport (${new URL(stage.issuer).host})`);
  assert.match(when, new RegExp(`\\b${new Date().getFullYear()}\\b`));
  assert.deepEqual(rest, codes);
}));

test('a logo that does not load leaves no hole', () => visit({}, async (page) => {
  await page.route('**/login?*', async (route) => {
    const answer = await route.fetch();
    const body = (await answer.text()).replace('<div class="client">', '<div class="client"><img class="client-logo" src="/no-such-logo.png" alt="" width="40" height="40" data-optional>');
    await route.fulfill({ response: answer, body });
  });
  await page.goto(authorizeURL(spa).url, { waitUntil: 'load' });
  await page.locator('.client-logo').waitFor({ state: 'hidden' });
  const [row, text] = await page.evaluate(() => ['.client', '.client p'].map((s) => document.querySelector(s).getBoundingClientRect().left));
  assert.equal(row, text);
}));

for (const javaScriptEnabled of [true, false]) {
  test(`a language chosen on a page is kept, whatever the application asks for: scripts ${javaScriptEnabled}`, () => visit({ javaScriptEnabled }, async (page, context) => {
    const language = () => page.getAttribute('html', 'lang');
    await page.goto(authorizeURL(bank, { ui_locales: 'en' }).url);
    assert.equal(await language(), 'en');
    const place = () => { const u = new URL(page.url()); return [u.pathname, u.searchParams.get('requestId')]; };
    const login = place();
    await page.click('#language-de');
    await page.waitForSelector('html[lang=de]');
    assert.deepEqual(place(), login, 'the choice returns to the page it was made on');
    assert.ok((await context.cookies()).some((k) => k.name.endsWith('sallyport_language') && k.value === 'de' && k.httpOnly));
    await fits(page);
    if (javaScriptEnabled) await accessible(page);
    await page.goto(authorizeURL(bank, { ui_locales: 'en' }).url);
    assert.equal(await language(), 'de');
    await page.goto(`${stage.issuer}/nowhere`);
    assert.equal(await language(), 'de');
    await page.goto(`${stage.issuer}/logged-out`);
    assert.equal(await language(), 'de');
    await page.click('#language-en');
    await page.waitForSelector('html[lang=en]');
  }));
}

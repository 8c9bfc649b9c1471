// People without an account, from the sign-in of an application over a mail to its callback: with a
// password and with a passkey; other browsers, scanners of mail, links that are over.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { arrival, authorizeURL, closeBrowser, enter, newPassword, signIn, stage, visit } from './lib.mjs';
import { authenticator, laptop } from './authenticator.mjs';
import { checks, choose, expire, looks, mail, network, person, user } from './mailroom.mjs';

after(closeBrowser);

const { shop, bank } = stage.clients;
const password = 'seven ships at sea';
const newcomer = (options, act) => visit(network(options), act);

// ask goes from the sign-in of an application to the page for the code.
async function ask(page, address, client = shop) {
  await page.goto(authorizeURL(client).url);
  await page.click('#signup');
  await page.fill('#email', address);
  await page.click('#signup-submit');
  await page.waitForSelector('#code-submit');
}

// fillIn fills in what the shop asks for.
async function fillIn(page, name = 'Ada') {
  await page.fill('#claim-given_name', name);
  await page.check('#terms');
}

async function arrives(page, client, act) {
  const [answer] = await Promise.all([arrival(page, client), act()]);
  assert.ok(answer.url.searchParams.get('code'), answer.url.href);
}

// gone is the page of a link that is over: it says so before any form, and leads on.
async function gone(page) {
  await page.locator('#error h1').waitFor();
  assert.equal(await page.locator('input[type=password]').count(), 0);
  assert.match(await page.getAttribute('#signup', 'href'), /^\/signup/);
}

for (const [look, options] of Object.entries({ ...looks, 'narrow, dark, without scripts': { ...looks['narrow and dark'], javaScriptEnabled: false } })) {
  test(`with a password: ${look}`, () => newcomer(options, async (page) => {
    const check = checks(page, options), address = person(), scripts = options.javaScriptEnabled !== false;
    const addresses = [];
    page.on('request', (r) => addresses.push(r.url()));
    await page.goto(authorizeURL(shop).url);
    await check();
    await page.click('#signup');
    await page.waitForSelector('#signup-submit');
    await check();
    await page.fill('#email', `${'a'.repeat(65)}@harbour.example`); // longer than RFC 5321 allows
    await page.click('#signup-submit');
    await page.waitForSelector('#error');
    await check();
    await page.fill('#email', address);
    await page.click('#signup-submit');
    await page.waitForSelector('#code-submit');
    await check();
    assert.equal(await page.locator('#send-again').isDisabled(), scripts, 'the wait for another message is shown');
    const { code } = await mail(address);
    await enter(page, code.replace(/./, (digit) => (Number(digit) + 1) % 10), '#code-submit');
    await page.waitForSelector('#error');
    await check();
    await enter(page, `${code.slice(0, 4)} ${code.slice(4)}`, '#code-submit');
    await page.waitForSelector('#create-submit');
    await check();
    assert.match(await page.textContent('main'), new RegExp(address));
    await fillIn(page);
    await page.fill('#claim-birthdate', '1815-12-10');
    if (!scripts) {
      await choose(page, password, 'seven ships at see');
      await page.waitForSelector('#password-repeat[aria-invalid=true]');
      await check();
    }
    await choose(page, 'password1');
    await page.waitForSelector('#password-new[aria-invalid=true]');
    await check();
    await page.fill('#claim-zoneinfo', 'Nowhere');
    await choose(page, password);
    await page.waitForSelector('#claim-zoneinfo[aria-invalid=true]');
    await check();
    await page.fill('#claim-zoneinfo', '');
    assert.equal(await page.inputValue('#claim-birthdate'), '1815-12-10', 'what was filled in stays');
    assert.ok(await page.isChecked('#terms'));
    await arrives(page, shop, () => choose(page, password));
    const made = await user(address);
    assert.equal(made.profile.given_name, 'Ada');
    assert.equal(made.profile.birthdate, '1815-12-10');
    for (const url of addresses) {
      for (const secret of [code, address, encodeURIComponent(address), password]) assert.ok(!url.includes(secret), url);
    }
  }));

  if (options.javaScriptEnabled === false) continue;
  test(`with a passkey: ${look}`, () => newcomer(options, async (page) => {
    const check = checks(page, options), address = person(), device = await authenticator(page, laptop);
    await device.present(false);
    await ask(page, address, shop);
    const { link } = await mail(address);
    await page.goto(link);
    await page.click('#create-passkey');
    await page.waitForSelector('#claim-given_name[aria-invalid=true]');
    await check();
    await fillIn(page);
    await page.click('#create-passkey');
    await page.waitForSelector('#create-ask', { state: 'attached' });
    await check();
    await page.click('#create-back');
    await page.waitForSelector('#password-new');
    assert.equal(await page.inputValue('#claim-given_name'), 'Ada', 'what was filled in stays');
    await device.present(true);
    await arrives(page, shop, () => page.click('#create-passkey'));
    assert.equal((await device.credentials()).length, 1);
    await page.context().clearCookies();
    await arrives(page, bank, async () => { // a verified passkey is both factors that the bank demands
      await page.goto(authorizeURL(bank).url).catch(() => {}); // the browser offers it by itself
    });
    await page.goto(`${stage.issuer}/account`); // who has no password may set one
    await page.click('#password-set');
    await page.waitForSelector('#password-new');
    assert.equal(await page.locator('#password-old').count(), 0);
    await check();
    await newPassword(page, address);
    await page.click('#password-submit');
    await page.waitForSelector('#password-new[aria-invalid=true]');
    await newPassword(page, password);
    await page.click('#password-submit');
    await page.waitForSelector('#notice');
    await page.waitForSelector('#password-change');
  }));
}

test('an application that demands two factors has the second one set up', () => newcomer({}, async (page) => {
  const address = person();
  await ask(page, address, bank);
  await enter(page, (await mail(address)).code, '#code-submit');
  await page.waitForSelector('#create-submit');
  await page.check('#terms');
  await choose(page, password);
  await page.waitForSelector('#enroll-begin');
}));

test('a device that refuses: the page says so, and another try or a password goes on', () => newcomer({}, async (page) => {
  const check = checks(page, {}), address = person(), device = await authenticator(page, { ...laptop, isUserVerified: false });
  await ask(page, address);
  await page.goto((await mail(address)).link);
  await fillIn(page);
  await page.click('#create-passkey');
  await page.locator('[data-said]:not([hidden])').waitFor();
  await check();
  await page.reload(); // asks again
  await page.locator('[data-said]:not([hidden])').waitFor();
  assert.equal((await device.credentials()).length, 0);
  await page.click('#create-back');
  await arrives(page, shop, () => choose(page, password));
}));

for (const [look, options] of Object.entries(looks)) {
  test(`a link in another browser makes the account and signs nobody in: ${look}`, () => newcomer(options, (first) => newcomer(options, async (other) => {
    const check = checks(other, options), address = person();
    await ask(first, address);
    await other.goto((await mail(address)).link);
    await fillIn(other);
    await choose(other, password);
    await other.waitForSelector('#created');
    await check();
    assert.equal(await other.getAttribute('#home', 'href'), 'https://shop.example/');
    await other.goto(`${stage.issuer}/account`);
    await other.waitForSelector('#login-form');
    await first.click('#other'); // whoever comes back to the page of the code
    await first.click('#back');
    await first.waitForSelector('#login-submit');
    await arrives(first, shop, () => signIn(first, { username: address, password }));
  })));
}

test('a scanner of mail opens the link first, with scripts', () => newcomer({}, async (page) => {
  const address = person();
  await ask(page, address);
  const { link } = await mail(address);
  await fetch(link, { method: 'HEAD' });
  for (let i = 0; i < 2; i++) {
    await newcomer({}, async (scanner) => {
      await scanner.goto(link, { waitUntil: 'networkidle' });
      await scanner.mouse.wheel(0, 5000);
      await scanner.reload({ waitUntil: 'networkidle' });
    });
  }
  await page.goto(link);
  await fillIn(page);
  await arrives(page, shop, () => choose(page, password));
}));

for (const [look, options] of Object.entries(looks)) {
  test(`a link that was used, by another tab and again: ${look}`, () => newcomer(options, async (page, context) => {
    const check = checks(page, options), address = person();
    await ask(page, address);
    const { link } = await mail(address);
    await page.goto(link);
    const second = await context.newPage();
    await second.goto(link);
    await fillIn(second);
    await arrives(second, shop, () => choose(second, password));
    await fillIn(page, 'Mallory');
    await choose(page, 'eight ships at sea');
    await gone(page);
    await check();
    assert.equal((await page.goto(link)).status(), 410);
    await gone(page);
    assert.equal((await user(address)).profile.given_name, 'Ada');
    await page.click('#signup');
    await page.waitForSelector('#signup-submit');
  }));
}

test('a link and a code that expired, also while the form is open', () => newcomer({}, async (page, context) => {
  const address = person();
  await ask(page, address);
  const { link, code } = await mail(address);
  const form = await context.newPage();
  await form.goto(link);
  await fillIn(form);
  await expire();
  await choose(form, password);
  await gone(form);
  assert.equal((await form.goto(link)).status(), 410);
  await gone(form);
  await enter(page, code, '#code-submit');
  await page.getByText('This code does not work').waitFor();
  await assert.rejects(user(address), /no such user/);
}));

test('prompt=create leads to the page for an account, with the address, also who is signed in', () => newcomer({}, async (page) => {
  const address = person(), create = () => page.goto(authorizeURL(shop, { prompt: 'create', login_hint: address }).url);
  await create();
  assert.equal(await page.inputValue('#email'), address);
  await page.click('#back');
  await page.waitForSelector('#login-submit');
  await create();
  await page.click('#signup-submit');
  await enter(page, (await mail(address)).code, '#code-submit');
  await page.waitForSelector('#create-submit');
  await fillIn(page);
  await arrives(page, shop, () => choose(page, password));
  await create();
  await page.waitForSelector('#signup-submit');
}));

test('an address that is taken: the page is the same, and the mail tells its owner', () => newcomer({}, async (page) => {
  const taken = stage.users.plain[0].email, free = person();
  const shown = async (address) => (await page.innerText('main')).replaceAll(address, 'ADDRESS').replace(/\d:\d\d/, 'TIME');
  await ask(page, taken);
  const first = await shown(taken);
  await ask(page, free);
  assert.equal(await shown(free), first);
  const told = await mail(taken);
  assert.match(told.text, /You already have one/);
  assert.ok(!told.link && !told.code, told.text);
}));

test('back and reload at each page', () => newcomer({}, async (page) => {
  const address = person();
  const at = async (path, button) => { await page.waitForSelector(button); assert.equal(new URL(page.url()).pathname.slice(0, path.length), path); };
  await page.goto(authorizeURL(shop).url);
  await page.click('#signup');
  await at('/signup', '#signup-submit');
  await page.reload();
  await page.goBack();
  await at('/login', '#login-submit');
  await page.goForward();
  await page.fill('#email', address);
  await page.click('#signup-submit');
  await at('/signup/code', '#code-submit');
  await page.reload();
  await at('/signup/code', '#code-submit');
  await page.goBack();
  await at('/signup', '#signup-submit');
  await page.goForward();
  await at('/signup/code', '#code-submit');
  await enter(page, (await mail(address)).code, '#code-submit');
  await at('/signup/', '#create-submit');
  await page.reload();
  await at('/signup/', '#create-submit');
  await page.goBack();
  await at('/signup/code', '#code-submit');
  await page.goForward();
  await fillIn(page);
  await choose(page, 'password1');
  await at('/signup/create', '#error');
  await page.reload();
  await at('/signup/create', '#error');
  await page.goBack();
  await at('/signup/', '#create-submit');
  const form = page.url();
  await fillIn(page);
  await arrives(page, shop, () => choose(page, password));
  await page.goto(form); // back, but the browser's own page in between may still be loading
  await gone(page);
}));

test('usable by keyboard', () => newcomer({}, async (page) => {
  const address = person(), { keyboard } = page;
  const focused = (id) => page.waitForSelector(`#${id}:focus`);
  const tab = async (id) => { for (let i = 0; i < 12 && !await page.locator(`#${id}:focus`).count(); i++) await keyboard.press('Tab'); await focused(id); };
  await page.goto(authorizeURL(shop).url);
  await tab('signup');
  await keyboard.press('Enter');
  await focused('email');
  await keyboard.type(address);
  await keyboard.press('Enter');
  await focused('passcode');
  await keyboard.type((await mail(address)).code);
  await keyboard.press('Enter');
  await page.waitForSelector('#create-submit');
  await tab('claim-given_name');
  await keyboard.type('Ada');
  await tab('password-new');
  await keyboard.type('password1');
  await tab('terms');
  await keyboard.press('Space');
  await tab('create-submit');
  await keyboard.press('Enter');
  await page.waitForSelector('#error');
  await focused('password-new');
  await keyboard.type(password); // the first one is not sent back to the page
  await arrives(page, shop, () => keyboard.press('Enter'));
}));

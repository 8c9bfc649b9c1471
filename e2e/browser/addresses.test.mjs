// Addresses, the user name and the profile on the account page: proving, changing, undoing and
// removing, with and without scripts, and what applications are told of them.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { accessible, arrival, authorizeURL, closeBrowser, enter, fits, newest, redeem, signIn, stage, visit } from './lib.mjs';

after(closeBrowser);

const users = [...stage.users.plain];
const take = () => users.shift() ?? assert.fail('the stage has no more users');
const account = `${stage.issuer}/account`;

const row = (page, name) => page.locator('#addresses li', { hasText: name });

// userinfo signs in to an application and returns what it is told of the user.
async function userinfo(page, scope = 'openid profile email') {
  const { spa } = stage.clients;
  const { url, verifier } = authorizeURL(spa, { scope });
  const [answer] = await Promise.all([arrival(page, spa), page.goto(url).catch(() => {})]);
  const { access_token: token } = await redeem(spa, answer, verifier);
  return (await fetch(`${stage.issuer}/userinfo`, { headers: { Authorization: `Bearer ${token}` } })).json();
}

for (const [look, options] of Object.entries({
  'wide and light': { viewport: { width: 1280, height: 900 } },
  'narrow, dark and German': { viewport: { width: 320, height: 700 }, colorScheme: 'dark', locale: 'de-DE' },
  'without scripts': { viewport: { width: 360, height: 740 }, javaScriptEnabled: false },
})) {
  test(`an address is proven, changed and given back: ${look}`, () => visit(options, async (page, context) => {
    const user = take();
    const other = user.email.replace('@', '@new.');
    const check = async () => {
      await fits(page);
      if (options.javaScriptEnabled !== false) await accessible(page);
    };
    await page.goto(account);
    await signIn(page, user);
    await page.waitForSelector('#addresses');
    await check();
    await row(page, user.email).locator('a').first().click();
    await page.waitForSelector('#address');
    await check();
    await page.fill('#address', 'no address');
    await page.click('#address-begin');
    await page.waitForSelector('#error');
    await check();
    await page.fill('#address', other);
    await page.click('#address-begin');
    await page.waitForSelector('#address-submit');
    await check();
    assert.equal(await row(page, other).count(), 0);
    await enter(page, await newest('codes', other), '#address-submit');
    await page.waitForSelector('#notice');
    await check();
    assert.equal(await row(page, user.email).count(), 0);
    await row(page, other).locator('a.risky').click();
    await page.waitForSelector('#error');
    await check();

    const link = `${stage.issuer}/account/undo?token=${await newest('links', user.email)}`;
    await fetch(link); // a mail scanner
    await fetch(link, { method: 'HEAD' });
    await visit(options, async (elsewhere) => {
      await elsewhere.goto(link);
      await elsewhere.waitForSelector('#undo-submit');
      await fits(elsewhere);
      if (options.javaScriptEnabled !== false) await accessible(elsewhere);
      await elsewhere.click('#undo-submit');
      await elsewhere.waitForSelector('#undone');
      await fits(elsewhere);
      await elsewhere.goto(link);
      await elsewhere.waitForSelector('#error');
      await fits(elsewhere);
    });
    await page.goto(account);
    await signIn(page, user);
    await page.waitForSelector('#addresses');
    assert.equal(await row(page, user.email).count(), 1);
    assert.equal(await row(page, other).count(), 0);
  }));

  test(`a user name is chosen, and the old one taken back: ${look}`, () => visit(options, async (page) => {
    const user = take();
    const name = `n${user.username.replaceAll(/[^a-z0-9]/g, '').slice(0, 20)}`;
    const check = async () => {
      await fits(page);
      if (options.javaScriptEnabled !== false) await accessible(page);
    };
    await page.goto(account);
    await signIn(page, user);
    await page.click('#addresses a[href="/account/username"]');
    await page.waitForSelector('#username');
    await check();
    await page.fill('#username', 'admin');
    await page.click('#username-submit');
    await page.waitForSelector('#error');
    assert.equal(await page.getAttribute('#username', 'aria-invalid'), 'true');
    await check();
    await page.fill('#username', name.toUpperCase());
    await page.keyboard.press('Enter');
    await page.waitForSelector('#notice');
    await check();
    assert.equal(await row(page, name).count(), 1);
    assert.equal((await userinfo(page)).preferred_username, name);
    await page.goto(`${account}/username`);
    assert.equal(await page.locator('#kept li').count(), 1);
    await check();
    await page.click('#kept button');
    await page.waitForSelector('#notice');
    assert.equal((await userinfo(page)).preferred_username, user.username);
  }));
}

test('applications are told of proven addresses and of the profile', () => visit({ viewport: { width: 1280, height: 900 } }, async (page) => {
  const user = take();
  await page.goto(account);
  await signIn(page, user);
  await page.waitForSelector('#addresses');
  const other = user.email.replace('@', '@new.');
  await row(page, user.email).locator('a').first().click();
  await page.fill('#address', other);
  await page.click('#address-begin');
  await page.waitForSelector('#address-submit');
  assert.equal((await userinfo(page)).email, user.email, 'until the new one is proven');
  await page.goto(`${account}/address?kind=email`);
  await page.fill('#address', `second.${other}`);
  await page.click('#address-begin');
  await page.waitForSelector('#address-submit');
  await enter(page, await newest('codes', `second.${other}`), '#address-submit');
  await page.waitForSelector('#notice');
  await page.click('#address-add-phone');
  await page.fill('#address', '+1 415 222 2222');
  await page.click('#address-begin');
  await page.waitForSelector('#address-submit');
  const before = await userinfo(page, 'openid phone');
  assert.equal(before.phone_number, undefined, 'before its proof');
  await page.goto(`${account}/address?kind=phone`);
  await page.fill('#address', '+1 415 222 2223');
  await page.click('#address-begin');
  await page.waitForSelector('#address-submit');
  await enter(page, await newest('codes', '+14152222223'), '#address-submit');
  await page.waitForSelector('#notice');
  const phone = await userinfo(page, 'openid phone');
  assert.deepEqual([phone.phone_number, phone.phone_number_verified], ['+14152222223', true]);
  await page.goto(account);
  await page.click('#profile-edit');
  await fits(page);
  await accessible(page);
  await page.fill('#profile-name', 'Nora Lind');
  await page.fill('#profile-zoneinfo', 'Europe/Stockholm');
  await page.selectOption('#profile-locale', 'de');
  await page.click('#profile-submit');
  await page.getByText('Ihr Profil ist gespeichert').waitFor();
  const { email, email_verified: verified, name, zoneinfo, locale } = await userinfo(page);
  assert.deepEqual([email, verified, name, zoneinfo, locale], [user.email, true, 'Nora Lind', 'Europe/Stockholm', 'de']);
}));

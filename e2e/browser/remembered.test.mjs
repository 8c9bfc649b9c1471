// The remembered device as its user has it: ticked, used, listed, and ended in every way.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { accessible, arrival, authorizeURL, claims, closeBrowser, code, enter, fits, newest, operator, redeem, signIn, stage, visit, newPassword } from './lib.mjs';

after(closeBrowser);

const users = [...stage.users.totp];
const take = () => users.shift() ?? assert.fail('the stage has no more users');
const { bank, remembers, spa } = stage.clients;
const account = `${stage.issuer}/account`;

// login signs in to the application that remembers, doing what has to be done after the password, and
// returns what it is told.
async function login(page, user, then = async () => {}) {
  const { url, verifier } = authorizeURL(remembers);
  await page.goto(url);
  const [answer] = await Promise.all([arrival(page, remembers), (async () => {
    await signIn(page, user);
    await then();
  })()]);
  return claims(await redeem(remembers, answer, verifier));
}

const tick = (page, user, check = async () => {}) => login(page, user, async () => {
  await page.waitForSelector('#remember');
  await check();
  assert.equal(await page.isChecked('#remember'), false, 'the user decides');
  await page.check('#remember');
  await enter(page, await code(user.totp), '#mfa-submit');
});

async function spared(page, user) {
  const { acr, amr } = await login(page, user);
  assert.deepEqual([acr, amr], ['aal1', ['pwd']], 'no token says what was left out');
}

// asked begins a login and is asked for the second factor.
async function asked(page, user, client = remembers, extra = {}) {
  await page.goto(authorizeURL(client, extra).url);
  if (user) await signIn(page, user);
  await page.waitForSelector('#mfa-form');
}

async function signOut(page) {
  await page.goto(`${stage.issuer}/logout`);
  await page.click('#logout-confirm');
  await page.waitForSelector('#logged-out');
}

const stronger = {
  'acr_values': { acr_values: 'aal2' },
  'an essential claim': { claims: JSON.stringify({ id_token: { acr: { essential: true, values: ['aal2'] } } }) },
  'max_age': { max_age: '3600' },
};

for (const [look, options] of Object.entries({
  'wide and light': { viewport: { width: 1280, height: 900 } },
  'narrow and dark': { viewport: { width: 320, height: 640 }, colorScheme: 'dark' },
  'German, without scripts': { viewport: { width: 320, height: 640 }, locale: 'de-DE', javaScriptEnabled: false },
})) {
  test(`ticked once, then the password is enough, until the user ends it: ${look}`, () => visit(options, async (page) => {
    const user = take();
    const check = async () => {
      await fits(page);
      if (options.javaScriptEnabled !== false) await accessible(page);
    };
    const first = await tick(page, user, check);
    assert.equal(first.acr, 'aal2');
    assert.ok(first.amr.includes('mfa') && first.amr.includes('pwd'), first.amr);

    await signOut(page);
    await spared(page, user);
    for (const extra of Object.values(stronger)) await asked(page, undefined, remembers, extra);
    await asked(page, undefined, bank); // which remembers nothing
    await signOut(page);
    for (const extra of Object.values(stronger)) await asked(page, user, remembers, extra);

    await page.goto(account);
    await signIn(page, user);
    await enter(page, await code(user.totp), '#mfa-submit');
    await page.waitForSelector('#devices');
    await check();
    assert.equal(await page.locator('#devices li').count(), 1);
    assert.equal(await page.locator('#device-here').count(), 1);
    await page.click('#devices li button');
    await page.waitForSelector('#notice');
    await check();
    assert.equal(await page.locator('#devices').count(), 0);
    await signOut(page);
    await asked(page, user);
  }));
}

test('two people in one browser, side by side', () => visit({}, async (page) => {
  const [one, other] = [take(), take()];
  for (const user of [one, other]) {
    await tick(page, user);
    await signOut(page);
  }
  for (const user of [one, other, one]) {
    await spared(page, user);
    await signOut(page);
  }
  await operator('session', 'forget', one.username);
  await asked(page, one);
  await page.goto(`${stage.issuer}/logout`);
  await spared(page, other);
}));

test('a browser that is not ticked is not remembered', () => visit({}, async (page) => {
  const user = take();
  await login(page, user, async () => enter(page, await code(user.totp), '#mfa-submit'));
  await signOut(page);
  await asked(page, user);
}));

// What ends it. Each returns the user as they sign in afterwards.
const fresh = 'seven grey geese on ice';
const ends = {
  'a changed password': async (page, user) => {
    await page.goto(`${account}/password`);
    await page.fill('#password-old', user.password);
    await newPassword(page, fresh);
    await page.click('#password-submit');
    await page.waitForSelector('#notice');
    return { ...user, password: fresh };
  },
  'a forgotten password': async (_, user) => {
    await visit({}, async (elsewhere) => {
      await elsewhere.goto(authorizeURL(bank).url);
      await elsewhere.click('#forgot');
      await elsewhere.fill('#username', user.username);
      await elsewhere.keyboard.press('Enter');
      await enter(elsewhere, await newest('codes', user.email), '#code-submit');
      await newPassword(elsewhere, fresh);
      await elsewhere.click('#reset-submit');
      await elsewhere.waitForSelector('#changed');
    });
    return { ...user, password: fresh };
  },
  'another authenticator': async (page, user) => {
    await page.goto(account);
    await page.click('#totp-add');
    await page.fill('#totp-name', 'Tablet');
    await page.click('#totp-begin');
    await enter(page, await code((await page.textContent('#enroll-secret')).replace(/\s/g, '')), '#totp-submit');
    await page.waitForSelector('#notice');
    return user;
  },
  'signing out everywhere else': async (page, user) => {
    await visit({}, async (elsewhere) => {
      await elsewhere.goto(authorizeURL(spa).url);
      await Promise.all([arrival(elsewhere, spa), signIn(elsewhere, user)]);
      await page.goto(account);
      await page.click('#sessions-end-others');
      await page.waitForSelector('#notice');
    });
    return user;
  },
  'the operator': async (_, user) => {
    const list = JSON.parse(await operator('session', 'devices', '--json', user.username));
    assert.equal((list.devices ?? list).length, 1, JSON.stringify(list));
    await operator('session', 'forget', user.username);
    return user;
  },
};

for (const [what, end] of Object.entries(ends)) {
  test(`${what} ends it`, () => visit({ viewport: { width: 1280, height: 900 } }, async (page, context) => {
    const user = take();
    await tick(page, user);
    const after = await end(page, user);
    await context.clearCookies({ name: 'sallyport_session' });
    await asked(page, after);
  }));
}

test('a reset of the factors ends it', () => visit({}, async (page, context) => {
  const user = take();
  await tick(page, user);
  await operator('user', 'reset-factors', '--yes', user.username);
  await context.clearCookies({ name: 'sallyport_session' });
  await page.goto(authorizeURL(remembers).url);
  await signIn(page, user);
  await page.waitForSelector('#demand-form');
}));

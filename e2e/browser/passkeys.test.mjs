// Passkeys with Chromium's virtual authenticators: created in a login and on the account page, used
// as the only factor, from the list beside the name, and as the second one; refused and cancelled.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { accessible, arrival, authorizeURL, claims, closeBrowser, fits, redeem, signIn, stage, visit } from './lib.mjs';
import { authenticator, laptop as phone } from './authenticator.mjs';

after(closeBrowser);

const plain = [...stage.users.plain], totp = [...stage.users.totp];
const take = (list) => list.shift() ?? assert.fail('the stage has no more users');
const { spa, bank } = stage.clients;
const account = `${stage.issuer}/account`;

const token = { protocol: 'u2f', transport: 'usb', hasResidentKey: false, hasUserVerification: false, automaticPresenceSimulation: true };

// add creates a passkey on the account page, in which the user is signed in.
async function add(page) {
  await page.click('#passkey-add');
  await page.click('#passkey-begin');
}

// done goes on from recovery codes, if there are any.
async function overview(page) {
  await page.waitForSelector('#account, #recovery-done');
  if (await page.locator('#recovery-done').count()) await page.click('#recovery-done');
  await page.waitForSelector('#account');
}
const said = async (page) => {
  await page.waitForSelector('[data-said]:not([hidden])');
  return page.textContent('[data-said]');
};

const looks = {
  'wide and light': { viewport: { width: 1280, height: 900 } },
  'narrow and dark': { viewport: { width: 320, height: 640 }, colorScheme: 'dark' },
  'German, narrow': { viewport: { width: 320, height: 640 }, locale: 'de-DE' },
};

for (const [look, options] of Object.entries(looks)) {
  test(`offered after a password, created, used, renamed and removed: ${look}`, () => visit(options, async (page) => {
    const user = take(plain), device = await authenticator(page, phone);
    const check = async () => {
      await fits(page);
      await accessible(page);
    };
    await device.present(false); // the list beside the name would sign in by itself
    await page.goto(authorizeURL(spa).url);
    await page.waitForSelector('#passkey-ask');
    await check();
    await page.waitForSelector('input[name=offer][value=yes]', { state: 'attached' });
    await signIn(page, user);
    await page.waitForSelector('#offer-form');
    await check();
    await device.present(true);
    const [first] = await Promise.all([arrival(page, spa), (async () => {
      await page.click('#offer-create, #offer-ask'); // where the browser could create one unasked, it has tried
      await page.click('#recovery-done');
    })()]);
    assert.ok(first.url.searchParams.get('code'));
    assert.equal((await device.credentials()).length, 1);

    await page.context().clearCookies();
    await device.present(false);
    await page.goto(authorizeURL(bank).url); // which demands two factors
    await page.waitForSelector('#passkey-ask');
    await device.present(true);
    const [second] = await Promise.all([arrival(page, bank), page.click('#passkey-ask').catch(() => {})]);
    assert.ok(second.url.searchParams.get('code'), 'a verified passkey is both factors');

    await page.goto(account);
    await page.waitForSelector('#account');
    await check();
    const row = page.locator('#authenticators li').first();
    await row.locator('a').first().click();
    await page.fill('#name', 'Laptop');
    await page.click('#rename-submit');
    await page.waitForSelector('#notice');
    assert.match(await page.textContent('#authenticators'), /Laptop/);
    await page.locator('#authenticators li', { hasText: 'Laptop' }).locator('a').nth(1).click();
    await page.waitForSelector('#remove-submit');
    assert.match(await page.textContent('#remove-last'), options.locale ? /letzter Passkey/ : /your last passkey/);
    await check();
    await device.present(false);
    await page.click('#remove-submit');
    await page.waitForSelector('#login-form'); // the session was proven with nothing else
    await page.fill('#password', user.password);
    await page.click('#login-submit');
    await page.waitForSelector('#account');
    assert.doesNotMatch(await page.textContent('#authenticators'), /Laptop/);
  }));
}

test('an offer that was declined is not made again', () => visit({}, async (page, context) => {
  const user = take(plain), device = await authenticator(page, phone);
  await device.present(false);
  for (const again of [false, true]) {
    await page.goto(authorizeURL(spa).url);
    await page.waitForSelector('input[name=offer][value=yes]', { state: 'attached' });
    const [answer] = await Promise.all([arrival(page, spa), (async () => {
      await signIn(page, user);
      if (!again) await page.click('#offer-decline');
    })()]);
    assert.ok(answer.url.searchParams.get('code'));
    await context.clearCookies();
  }
}));

test('the browser offers the passkey where the name is typed', () => visit({}, async (page) => {
  const user = take(plain), device = await authenticator(page, phone);
  await device.present(false);
  await page.goto(account);
  await signIn(page, user);
  await page.waitForSelector('#offer-decline');
  await page.click('#offer-decline');
  await page.waitForSelector('#account');
  await device.present(true);
  await add(page);
  await overview(page);
  await page.context().clearCookies();
  const [answer] = await Promise.all([arrival(page, spa), page.goto(authorizeURL(spa).url).catch(() => {})]);
  assert.ok(answer.url.searchParams.get('code'), 'the virtual authenticator chooses what the user would');
}));

test('options are renewed before their challenge expires', () => visit({}, async (page) => {
  await authenticator(page, { ...phone, automaticPresenceSimulation: false });
  await page.clock.install();
  await page.goto(authorizeURL(spa).url);
  const options = () => page.getAttribute('#passkey-form', 'data-options');
  const before = await options();
  const fresh = page.waitForResponse((r) => r.url().includes('/login/passkey'));
  await page.clock.fastForward('04:30');
  await (await fresh).finished();
  await page.waitForFunction((old) => document.querySelector('#passkey-form').getAttribute('data-options') !== old, before);
}));

test('a security key is a second factor beside the password', () => visit({}, async (page) => {
  const user = take(plain);
  await authenticator(page, token);
  await page.goto(account);
  await signIn(page, user);
  await page.waitForSelector('#account');
  await add(page);
  await overview(page);
  await page.context().clearCookies();
  const { url, verifier } = authorizeURL(bank);
  await page.goto(url);
  await signIn(page, user);
  await page.waitForSelector('#mfa-ask');
  await fits(page);
  await accessible(page);
  const [answer] = await Promise.all([arrival(page, bank), page.click('#mfa-ask').catch(() => {})]);
  const { acr, amr } = claims(await redeem(bank, answer, verifier));
  assert.deepEqual([acr, [...amr].sort()], ['phr', ['mfa', 'pop', 'pwd', 'user']], 'it was touched, and knows no user');
}));

test('creating one is cancelled, and none is created twice', () => visit({}, async (page) => {
  const user = take(plain), device = await authenticator(page, phone);
  await device.present(false);
  await page.goto(account);
  await signIn(page, user);
  await page.click('#offer-decline');
  await page.waitForSelector('#account');
  await device.present(true);
  await device.verified(false); // the user does not unlock the device
  await page.click('#passkey-add');
  await page.click('#passkey-begin');
  await page.waitForSelector('[data-said]:not([hidden])');
  await fits(page);
  await accessible(page);
  assert.equal((await device.credentials()).length, 0);
  await device.verified(true);
  await page.click('#passkey-ask');
  await overview(page);
  await add(page);
  assert.match(await said(page), /already/);
  await accessible(page);
  assert.equal((await device.credentials()).length, 1);
}));

test('the bank lets a user set up a passkey', () => visit({}, async (page) => {
  const user = take(plain);
  const device = await authenticator(page, phone);
  await device.present(false);
  await page.goto(authorizeURL(bank).url);
  await signIn(page, user);
  await page.check('#method-passkey');
  await device.present(true);
  const [answer] = await Promise.all([arrival(page, bank), (async () => {
    await page.click('#enroll-begin');
    await page.waitForSelector('#recovery-done').then(() => page.click('#recovery-done'));
  })()]);
  assert.ok(answer.url.searchParams.get('code'));
}));

test('a cancelled call says so, and a deleted passkey is refused', () => visit({}, async (page) => {
  const user = take(plain), device = await authenticator(page, phone);
  await device.present(false);
  await page.goto(account);
  await signIn(page, user);
  await page.click('#offer-decline');
  await page.waitForSelector('#account');
  await device.present(true);
  await add(page);
  await overview(page);
  const [kept] = await device.credentials();
  await page.locator('#authenticators li a.risky').click();
  await page.uncheck('#remove-others');
  assert.match(await page.textContent('#remove-last'), /your last passkey/);
  await page.click('#remove-submit');
  await page.getByText('The passkey is removed').waitFor();
  await device.call('clearCredentials');
  await page.context().clearCookies();

  await page.goto(authorizeURL(spa).url);
  await page.waitForSelector('#passkey-ask');
  await device.verified(false); // the user fails to unlock the device
  await page.click('#passkey-ask');
  assert.match(await said(page), /No passkey was used/);
  await fits(page);
  await accessible(page);

  await device.verified(true);
  await device.present(false);
  await device.call('addCredential', { credential: kept });
  await page.exposeFunction('signalled', (name, said) => signals.push([name, said]));
  await page.addInitScript(() => {
    for (const name of ['signalUnknownCredential', 'signalAllAcceptedCredentials']) {
      const original = PublicKeyCredential[name];
      PublicKeyCredential[name] = function (said) {
        window.signalled(name, said);
        return original ? original.call(PublicKeyCredential, said) : Promise.resolve();
      };
    }
  });
  const signals = [];
  await page.goto(authorizeURL(spa).url);
  await page.waitForSelector('#passkey-ask');
  await device.present(true);
  await page.click('#passkey-ask').catch(() => {});
  await page.waitForSelector('#error');
  await page.waitForFunction(() => document.readyState === 'complete');
  const id = Buffer.from(kept.credentialId, 'base64').toString('base64url');
  assert.deepEqual(signals, [['signalUnknownCredential', { rpId: new URL(stage.issuer).hostname, credentialId: id }]]);
  assert.deepEqual(await device.credentials(), [], 'the device has forgotten it');
  await fits(page);
  await accessible(page);
  await page.waitForSelector('#login-form');
}));

test('a counter that goes back is shown to the user', () => visit({}, async (page) => {
  const user = take(plain), device = await authenticator(page, phone);
  await device.present(false);
  await page.goto(account);
  await signIn(page, user);
  await page.click('#offer-decline');
  await device.present(true);
  await add(page);
  await overview(page);
  const use = async () => {
    await page.context().clearCookies();
    await device.present(false);
    await page.goto(account);
    await page.waitForSelector('#passkey-ask');
    await device.present(true);
    await page.click('#passkey-ask').catch(() => {});
  };
  await use();
  await page.waitForSelector('#account');
  const [copy] = await device.credentials();
  await device.call('clearCredentials');
  await device.call('addCredential', { credential: { ...copy, signCount: 1 } });
  await use();
  await page.waitForSelector('#account .warn:has(time)');
  assert.match(await page.textContent('#account .warn:has(time)'), /cop(y|ied)/i);
}));

test('without scripts the password is all there is', () => visit({ javaScriptEnabled: false, viewport: { width: 320, height: 640 } }, async (page) => {
  const user = take(plain);
  await page.goto(authorizeURL(spa).url);
  assert.equal(await page.locator('#passkey-ask').isVisible(), false);
  await fits(page);
  const [answer] = await Promise.all([arrival(page, spa), signIn(page, user)]);
  assert.ok(answer.url.searchParams.get('code'));
}));

test('a browser without passkeys is not offered any', () => visit({}, async (page) => {
  const user = take(plain);
  await page.addInitScript(() => { delete window.PublicKeyCredential; });
  await page.goto(authorizeURL(spa).url);
  assert.equal(await page.locator('#passkey-ask').isVisible(), false);
  const [answer] = await Promise.all([arrival(page, spa), signIn(page, user)]);
  assert.ok(answer.url.searchParams.get('code'));
}));

test('a browser without the JSON forms of WebAuthn creates and uses a passkey', () => visit({}, async (page) => {
  const user = take(plain), device = await authenticator(page, phone);
  await page.addInitScript(() => {
    for (const name of ['parseCreationOptionsFromJSON', 'parseRequestOptionsFromJSON']) delete PublicKeyCredential[name];
    delete PublicKeyCredential.prototype.toJSON;
  });
  await device.present(false);
  await page.goto(account);
  await signIn(page, user);
  await page.click('#offer-decline');
  await device.present(true);
  await add(page);
  await overview(page);
  await page.context().clearCookies();
  await device.present(false);
  await page.goto(account);
  await page.waitForSelector('#passkey-ask');
  await device.present(true);
  await page.click('#passkey-ask').catch(() => {});
  await page.waitForSelector('#account');
}));

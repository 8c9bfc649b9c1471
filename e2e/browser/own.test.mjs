// The sample with its own login page, on its own origin, against `sallyport dev`.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { accessible, closeBrowser, fits, stage, visit } from './lib.mjs';

after(closeBrowser);

const home = `${stage.demo}/own-login/`;
const people = Object.fromEntries((await (await fetch(`${stage.demo}/config.json`)).json()).people.map((p) => [p.name, p.password]));
const used = new Map();

// phone waits for an unused code of a user.
async function phone(name) {
  for (;;) {
    const { codes } = await (await fetch(`${stage.demo}/phone.json`)).json();
    const found = codes.find((c) => c.user === name);
    if (found && found.code !== used.get(name)) {
      used.set(name, found.code);
      return found.code;
    }
    await new Promise((done) => { setTimeout(done, 300); });
  }
}

async function enter(page, name, { stay, password = people[name] } = {}) {
  await page.fill('[name=identifier]', name);
  await page.fill('[name=password]', password);
  if (stay) await page.check('[name=keep]');
  await page.click('#login-submit');
}

const message = async (page) => {
  await page.waitForSelector('#message:not([hidden])');
  return page.innerText('#message');
};
const cookies = async (context) => (await context.cookies()).map((c) => c.name);

test('a password, only on the page: no session at the provider', () => visit({}, async (page, context) => {
  await page.goto(home);
  await accessible(page);
  await page.click('#begin-one');
  await enter(page, 'bob', { password: 'wrong' });
  assert.match(await message(page), /wrong/);
  await accessible(page);
  await enter(page, 'bob');
  assert.match(await page.innerText('#signed-in'), /pwd at level aal1/);
  assert.deepEqual(await cookies(context), []);
}));

test('two factors', () => visit({ viewport: { width: 320, height: 640 } }, async (page) => {
  await page.goto(home);
  await page.click('#begin-strong');
  await enter(page, 'alice');
  await page.fill('[name=passcode]', '000000');
  await page.click('#verify-submit');
  assert.match(await message(page), /code is wrong/);
  await fits(page);
  await page.fill('[name=passcode]', await phone('alice'));
  await page.click('#verify-submit');
  assert.match(await page.innerText('#signed-in'), /mfa, otp, pwd at level aal2/);
}));

test('begun at the provider, shown here, ended there with a session', () => visit({}, async (page, context) => {
  await page.goto(home);
  await page.click('#begin-provider');
  await enter(page, 'alice');
  await page.waitForSelector('#signed-in');
  assert.ok((await cookies(context)).some((name) => name.endsWith('sallyport_session')));
  await page.click('#again');
  await page.click('#begin-provider');
  await page.waitForSelector('#signed-in');
}));

test('an app is enrolled, and the browser takes over', () => visit({}, async (page, context) => {
  await page.goto(home);
  await page.click('#begin-two');
  await enter(page, 'bob', { stay: true });
  await page.waitForSelector('#enroll-form');
  await accessible(page);
  await page.fill('[name=passcode]', await phone('bob'));
  await page.click('#enroll-submit');
  await page.waitForSelector('#recovery-codes');
  assert.equal(await page.locator('#recovery-codes li').count(), 10);
  await page.click('#recovery-done');
  assert.match(await page.innerText('#signed-in'), /mfa, otp, pwd at level aal2/);
  assert.ok((await cookies(context)).some((name) => name.endsWith('sallyport_session')));
}));

test('a login begun by another user is not shown', () => visit({}, async (page) => {
  const answer = await fetch(`${stage.issuer}/api/login/v1/requests`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      response_type: 'code', client_id: 'front', redirect_uri: home, scope: 'openid', state: 'mine',
      code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256',
    }),
  });
  await page.goto(`${home}?requestId=${(await answer.json()).request_id}`);
  assert.match(await message(page), /did not begin here/);
  assert.equal(await page.locator('[name=password]').count(), 0);
}));

test('cancelled', () => visit({}, async (page) => {
  await page.goto(home);
  await page.click('#begin-one');
  await page.click('#cancel');
  assert.match(await message(page), /did not sign in/);
}));

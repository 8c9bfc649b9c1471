// The development server: the demo application, the virtual phone and the hosted pages, on
// three origins, in one browser.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { accessible, closeBrowser, fits, signIn, stage, visit, enter } from './lib.mjs';
import { phone, press } from './demo.mjs';

after(closeBrowser);

const { demo, outbox, alice, bob } = stage;
let spent; // a code of alice

test('Notes with a password, unlocked by a second factor, then the bank without typing', () => visit({}, async (page, context) => {
  await page.goto(demo);
  await accessible(page);
  await press(page.locator('.card.app', { hasText: 'Notes' }), 'Sign in');
  await signIn(page, alice);
  await page.getByText('signature verified').waitFor();
  assert.equal(new URL(page.url()).search, '', 'the code does not stay in the address');
  await accessible(page);
  await press(page, 'Unlock');
  spent = await phone(context, 'alice');
  await enter(page, spent, '#mfa-submit');
  await page.getByText('third flowerpot').waitFor();
  await press(page, 'Open Meridian Bank');
  await page.getByRole('heading', { name: 'Account' }).waitFor();
  const before = await page.locator('details', { hasText: 'Access token' }).count();
  await press(page, 'Refresh');
  await page.getByText(/access token good for/).waitFor();
  assert.equal(await page.locator('details', { hasText: 'Access token' }).count(), before);
  await press(page, 'Ask silently');
  await page.getByRole('heading', { name: 'Account' }).waitFor();
  await press(page, 'Sign out');
  await page.getByText('Sign in, and watch what happens.').waitFor();
  await press(page.locator('.card.app', { hasText: 'Notes' }), 'Sign in');
  await page.waitForSelector('#login-form');
}));

test('the bank lets bob enrol with the phone, in a narrow window in the dark', () => visit({ viewport: { width: 320, height: 640 }, colorScheme: 'dark' }, async (page, context) => {
  await page.goto(demo);
  await page.getByText('Sign in, and watch what happens.').waitFor(); // the script writes the page
  await fits(page);
  await accessible(page);
  await press(page.locator('.card.app', { hasText: 'Bank' }), 'Sign in');
  await signIn(page, bob);
  await page.click('#enroll-begin');
  await enter(page, await phone(context, 'bob'), '#enroll-submit');
  await page.click('#recovery-done');
  await page.getByRole('heading', { name: 'Account' }).waitFor();
  await fits(page);
  await accessible(page);
  await page.goto(`${demo}/outbox`);
  await page.locator('.letter', { hasText: 'bob@example.com' }).first().getByRole('heading').waitFor(); // a notice of the enrolment
  await fits(page);
  await accessible(page);
}));

test('a television is signed in from a phone, by the address in its QR code', () => visit({ viewport: { width: 320, height: 640 } }, async (tv, context) => {
  await tv.goto(`${demo}/tv`);
  await tv.click('#tv-begin');
  const code = await tv.locator('#tv-code').textContent();
  assert.match(code, /^[B-Z]{4}-[B-Z]{4}$/);
  await tv.waitForFunction(() => document.getElementById('tv-qr').naturalWidth > 0);
  await fits(tv);
  await accessible(tv);
  const page = await context.newPage();
  await page.goto(`${await tv.getByRole('link', { name: '/device' }).getAttribute('href')}?user_code=${code}`);
  await fits(page);
  await accessible(page);
  await page.click('#device-submit');
  await page.waitForSelector('#login-submit');
  await signIn(page, alice);
  await page.waitForSelector('#warning');
  await fits(page);
  await accessible(page);
  await page.click('#consent-allow');
  await page.waitForSelector('#device-allowed');
  await accessible(page);
  await tv.getByRole('heading', { name: 'Good evening, Alice' }).waitFor();
}));

test('the phone works without scripts', () => visit({ javaScriptEnabled: false }, async (page) => {
  await page.goto(`${demo}/phone`);
  assert.match(await page.locator('#codes li', { hasText: 'alice' }).first().locator('output').textContent(), /\d{3} \d{3}/);
  await fits(page);
}));

// sent writes a message as the server does, and returns what shows it.
function sent(page, message) {
  const id = crypto.randomUUID();
  appendFileSync(outbox, JSON.stringify({ id, kind: 'sms', recipient: '+12025550123', template: 'code', time: new Date().toISOString(), ...message }) + '\n');
  return page.locator(`#m-${id}`);
}

test('the outbox shows a code as it arrives, to copy, in a narrow window', () => visit({ viewport: { width: 390, height: 844 }, permissions: ['clipboard-read', 'clipboard-write'] }, async (page) => {
  await page.goto(`${demo}/outbox`);
  const first = sent(page, { code: '918273', text: '918273 is your code.' });
  await first.waitFor();
  await first.evaluate((item) => { item.dataset.seen = 'yes'; });
  const second = sent(page, { kind: 'mail', recipient: `${'a'.repeat(60)}@example.com`, subject: 'Sign in', text: `Open https://example.com/${'x'.repeat(200)} to sign in.` });
  await second.getByRole('link').waitFor();
  assert.equal(await page.locator('#messages li').first().getAttribute('id'), await second.getAttribute('id'), 'the newest is first');
  assert.equal(await first.getAttribute('data-seen'), 'yes', 'what is shown stays');
  await press(first, 'Copy');
  await first.getByText('Copied').waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), '918273');
  await fits(page);
  await accessible(page);
}));

test('the outbox works without scripts', () => visit({ javaScriptEnabled: false, viewport: { width: 320, height: 640 } }, async (page) => {
  const item = sent(page, { code: '445566', text: '<b>445566</b> is your code.' });
  await page.goto(`${demo}/outbox`);
  assert.equal(await item.locator('output').textContent(), '445566');
  assert.equal(await item.getByText('<b>445566</b>').count(), 1);
  await fits(page);
}));

test('a till asks a customer, who sees the request on the phone and confirms it', () => visit({ viewport: { width: 320, height: 640 } }, async (till, context) => {
  await till.goto(`${demo}/till`);
  await till.click('#till-alice');
  const words = await till.locator('#till-words').textContent();
  await fits(till);
  await accessible(till);
  const screen = await context.newPage();
  await screen.goto(`${demo}/phone`);
  await screen.locator('#waiting').getByText(words).waitFor();
  await fits(screen);
  await accessible(screen);
  const page = await context.newPage();
  await page.goto(await screen.getByRole('link', { name: 'Decide' }).getAttribute('href'));
  await signIn(page, alice);
  await enter(page, await phone(context, 'alice', spent), '#mfa-submit');
  await page.locator('#waiting').getByText(words).waitFor();
  await fits(page);
  await accessible(page);
  await page.locator('#waiting').getByRole('button', { name: 'Continue' }).click();
  await page.waitForSelector('#warning');
  assert.equal(await page.locator('#binding').textContent(), words);
  await fits(page);
  await accessible(page);
  await page.click('#consent-allow');
  await page.waitForSelector('#waiting-allowed');
  await accessible(page);
  await till.waitForSelector('#till-paid');
  await till.click('#till-again');
  await till.click('#till-alice');
  await till.waitForSelector('#till-words');
  await page.goto(page.url().replace('/waiting/allowed', '/account'));
  await page.locator('#waiting').getByRole('button', { name: 'Refuse' }).click();
  await page.waitForSelector('#notice');
  await till.getByText('access_denied').waitFor();
}));

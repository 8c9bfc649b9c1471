// The tour of README.md and of the greeting of dev, step by step, and the snippets of
// README.md for a reader's own applications.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { closeBrowser, signIn, stage, visit, enter } from './lib.mjs';
import { phone, press } from './demo.mjs';
import { authenticator, laptop } from './authenticator.mjs';

const { demo, shop, notes, alice, bob } = stage;

// The single-page application of the snippet. An import map stands for its bundler.
const library = readFileSync(new URL('./node_modules/oidc-client-ts/dist/esm/oidc-client-ts.js', import.meta.url));
const decoder = readFileSync(new URL('./node_modules/jwt-decode/build/esm/index.js', import.meta.url));
const files = { '/oidc-client-ts.js': library, '/jwt-decode.js': decoder, '/main.js': stage.page };
const html = `<!doctype html><title>Notes</title><link rel="icon" href="data:,">
<script type="importmap">{"imports": {"oidc-client-ts": "/oidc-client-ts.js", "jwt-decode": "/jwt-decode.js"}}</script>
<script type="module" src="/main.js"></script><body></body>`;
const pages = createServer((call, answer) => {
  const file = files[new URL(call.url, notes).pathname];
  answer.writeHead(200, { 'content-type': file ? 'text/javascript' : 'text/html' }).end(file ?? html);
});

before(() => new Promise((up) => { pages.listen(Number(new URL(notes).port), 'localhost', up); }));
after(async () => {
  await closeBrowser();
  pages.close();
  pages.closeAllConnections();
});

let used; // the code of alice's that the tour used up

// steps does what each sentence of the tour says, and sees what it promises.
const steps = {
  [`Open ${demo} and sign in to Meridian Notes as alice.`]: async (page) => {
    await page.goto(demo);
    await press(page.locator('.card.app', { hasText: 'Meridian Notes' }), 'Sign in');
    await signIn(page, alice);
    await page.getByText('Private, locked').waitFor();
    await page.locator('strong', { hasText: 'aal1' }).waitFor();
  },
  'Unlock the private note with the code on the virtual phone.': async (page, context) => {
    await press(page, 'Unlock');
    used = await phone(context, 'alice');
    await enter(page, used, '#mfa-submit');
    await page.getByText('third flowerpot').waitFor();
    await page.locator('strong', { hasText: 'aal2' }).waitFor();
  },
  'Open Meridian Bank: it asks for nothing. Sign out.': async (page) => {
    await press(page, 'Open Meridian Bank');
    await page.getByRole('heading', { name: 'Account' }).waitFor();
    await press(page, 'Sign out');
    await page.getByText('Sign in, and watch what happens.').waitFor();
  },
  'Sign in to Meridian Bank as bob, who has to set up a second factor.': async (page, context) => {
    await press(page.locator('.card.app', { hasText: 'Meridian Bank' }), 'Sign in');
    await signIn(page, bob);
    await page.click('#enroll-begin');
    await enter(page, await phone(context, 'bob'), '#enroll-submit');
    await page.click('#recovery-done');
    await page.getByRole('heading', { name: 'Account' }).waitFor();
  },
  'Add a passkey on the account page; sign in to Meridian Bank with it alone.': async (page) => {
    const device = await authenticator(page, laptop);
    await page.getByRole('link', { name: 'Add a passkey' }).click();
    await page.click('#passkey-add');
    await page.click('#passkey-begin');
    await page.waitForSelector('#notice');
    await device.present(false); // the list beside the name would sign in by itself
    await page.goto(demo);
    await press(page.locator('.card.app', { hasText: 'Meridian Bank' }), 'Sign in');
    await page.getByRole('heading', { name: 'Account' }).waitFor(); // a session
    await press(page, 'Sign out');
    await press(page.locator('.card.app', { hasText: 'Meridian Bank' }), 'Sign in');
    await page.waitForSelector('#passkey-ask');
    await device.present(true);
    await page.click('#passkey-ask').catch(() => {});
    await page.locator('strong', { hasText: 'phr' }).waitFor();
    await page.locator('#tries .done', { hasText: 'passkey' }).waitFor();
  },
};

test('the tour happens as told', () => visit({}, async (page, context) => {
  assert.deepEqual(stage.tour, Object.keys(steps));
  for (const step of stage.tour) await steps[step](page, context);
}));

test('the single-page application shows the name and address of its user', () => visit({}, async (page) => {
  await page.goto(notes);
  await signIn(page, alice);
  await page.getByText('Hello Alice Anders, your address is alice@example.com.', { exact: true }).waitFor();
  assert.equal(page.url(), `${notes}/`);
}));

test('the web application shows the name and address of its user', () => visit({}, async (page, context) => {
  await page.goto(shop);
  await signIn(page, alice);
  await enter(page, await phone(context, 'alice', used), '#mfa-submit');
  await page.getByText('Hello Alice Anders, your address is alice@example.com.', { exact: true }).waitFor();
  await page.goto(`${shop}/callback?state=made-up&code=made-up`);
  await page.getByText('this browser did not begin this login').waitFor();
}));

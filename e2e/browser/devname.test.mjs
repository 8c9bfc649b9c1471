// The development server under a name: its certificate is its own, and passkeys belong to the name.
import { after, test } from 'node:test';
import { closeBrowser, signIn, stage, visit } from './lib.mjs';
import { press } from './demo.mjs';
import { authenticator, laptop } from './authenticator.mjs';

after(closeBrowser);

test('a passkey of a name', () => visit({ ignoreHTTPSErrors: true }, async (page, context) => {
  const device = await authenticator(page, laptop);
  await device.present(false);
  await page.goto(stage.demo);
  await press(page.locator('.card.app', { hasText: 'Notes' }), 'Sign in');
  await signIn(page, stage.bob);
  await page.waitForSelector('#offer-form');
  await device.present(true);
  await page.click('#offer-create, #offer-ask');
  await page.click('#recovery-done');
  await page.getByText('signature verified').waitFor();
  await press(page, 'Sign out');
  await device.present(false);
  await press(page.locator('.card.app', { hasText: 'Bank' }), 'Sign in');
  await page.waitForSelector('#passkey-ask');
  await device.present(true);
  await page.click('#passkey-ask').catch(() => {});
  await page.locator('strong', { hasText: 'phr' }).waitFor();
  const phone = await context.newPage();
  await phone.goto(`${stage.demo}/phone`);
  await phone.locator('#passkeys li', { hasText: 'bob' }).waitFor();
  await phone.getByText(`for ${new URL(stage.issuer).hostname}`).waitFor();
}));

// The demo application of the development server.
import { accessible, stage } from './lib.mjs';

export const press = (page, name) => page.getByRole('button', { name, exact: true }).click();

// phone returns the code on the virtual phone, once it is another than not.
export async function phone(context, who, not) {
  const page = await context.newPage();
  await page.goto(`${stage.demo}/phone`);
  await accessible(page);
  const row = page.locator('#codes li', { hasText: who }).last();
  const shown = async () => (await row.locator('output').textContent()).replace(/\s/g, '');
  while (await shown() === not) await page.waitForResponse(`${stage.demo}/phone.json`);
  const code = await shown();
  await page.close();
  return code;
}

// Every mail to users, as a mail program shows it: in a light, narrow one and a dark, wide one,
// checked with axe. It shows nothing of another server, and the text stands out from the ground.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { accessible, closeBrowser, fits, visit } from './lib.mjs';

after(closeBrowser);
const dir = process.env.SALLYPORT_MAILS;

// Colours do not depend on the width.
for (const [colorScheme, width] of [['light', 320], ['dark', 900]]) {
  test(`mails in a ${colorScheme} program, ${width} px wide`, () => visit({ colorScheme, viewport: { width, height: 700 } }, async (page) => {
    const asked = [];
    page.on('request', (r) => { if (!r.url().startsWith('file:')) asked.push(r.url()); });
    const mails = readdirSync(dir);
    assert.ok(mails.length > 10, `${mails.length} mails`);
    for (const mail of mails) {
      await page.goto(`file://${join(dir, mail)}`);
      await fits(page);
      await accessible(page);
      // The canvas is the program's: its colours are those of the scheme, and the mail sets none.
      const scheme = await page.evaluate(() => [...document.querySelectorAll('body, p, a')].map((e) => getComputedStyle(e).color));
      const text = colorScheme === 'dark' ? 'rgb(255, 255, 255)' : 'rgb(0, 0, 0)';
      assert.deepEqual([...new Set(scheme)], [text], mail);
      // An address on a line of its own is there to be followed.
      assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll('p')].filter((p) => /^https:\S+$/.test(p.textContent) && !p.querySelector('a')).map((p) => p.textContent)), [], mail);
    }
    assert.deepEqual(asked, []);
  }));
}

// The mailboxes of people, what an administrator does, and what the pages for newcomers share.
import assert from 'node:assert/strict';
import { accessible, fits, newPassword, stage } from './lib.mjs';

const room = stage.messages;

/** mail returns the nth mail to an address, with its link and its code, as soon as it has arrived. */
export async function mail(to, nth = 1) {
  for (const end = Date.now() + 15000; Date.now() < end;) {
    const all = await (await fetch(`${room}/mails?to=${encodeURIComponent(to)}`)).json();
    if (all.length >= nth) {
      const { text } = all[nth - 1];
      return { text, link: /^https?:\S+\/(?:signup|invitation)\/\S+/m.exec(text)?.[0], code: /^\d{8,9}\r?$/m.exec(text)?.[0].trim() };
    }
    await new Promise((done) => setTimeout(done, 50));
  }
  return assert.fail(`fewer than ${nth} mails to ${to}`);
}

/** run runs a command of the server and returns what it prints. */
export async function run(...args) {
  const answer = await fetch(`${room}/run`, { method: 'POST', body: JSON.stringify(args) });
  const text = await answer.text();
  assert.ok(answer.ok, `${args.join(' ')}: ${text}`);
  return text;
}

export const user = async (name) => JSON.parse(await run('user', 'show', '--json', name));

/** expire ends the life of every link and code that was sent. */
export async function expire() {
  const answer = await fetch(`${room}/expire`, { method: 'POST' });
  assert.ok(answer.ok, await answer.text());
}

let people = 0;

/** person returns an address that nobody has. */
export const person = () => `ada${++people}@harbour.example`;

/** network returns the options of a browser in a network of its own: sign-ups of each are limited. */
export const network = (options = {}) => ({ ...options, extraHTTPHeaders: { 'x-forwarded-for': `198.51.${100 + Math.floor(people / 250)}.${++people % 250 + 1}` } });

export const looks = {
  'wide and light': { viewport: { width: 1280, height: 900 } },
  'narrow and dark': { viewport: { width: 320, height: 640 }, colorScheme: 'dark' },
  'German, narrow': { viewport: { width: 320, height: 640 }, locale: 'de-DE' },
};

/** checks returns what is checked on every page of a look. */
export const checks = (page, options) => async () => {
  await fits(page);
  if (options.javaScriptEnabled === false) return;
  await accessible(page);
  assert.equal(await page.getAttribute('html', 'lang'), options.locale === 'de-DE' ? 'de' : 'en');
};

/** choose fills in a new password and submits the form of a new account. */
export async function choose(page, password, again = password) {
  await newPassword(page, password, again);
  await page.click('#create-submit');
}

// The hosted pages in a real browser: checked with axe, in a narrow window, in dark mode
// and in German; with and without scripts; by keyboard only; with two tabs, Back, reload and
// bookmarks.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { accessible, arrival, authorizeURL, browser, closeBrowser, code, fits, signIn, stage, visit, enter } from './lib.mjs';

after(closeBrowser);

const users = { totp: [...stage.users.totp], plain: [...stage.users.plain] };
const take = (kind) => users[kind].shift() ?? assert.fail(`the stage has no more users of kind ${kind}`);
const { spa, bank, asks } = stage.clients;

const looks = {
  'wide and light': { viewport: { width: 1280, height: 900 } },
  'narrow and dark': { viewport: { width: 320, height: 640 }, colorScheme: 'dark' },
  'German, narrow': { viewport: { width: 320, height: 640 }, locale: 'de-DE' },
  'without scripts': { javaScriptEnabled: false },
};

for (const [look, options] of Object.entries(looks)) {
  test(`password, a wrong code and the right one: ${look}`, () => visit(options, async (page) => {
    const user = take('totp');
    const check = async () => {
      await fits(page);
      if (options.javaScriptEnabled !== false) await accessible(page);
    };
    await page.goto(authorizeURL(bank).url);
    assert.equal(await page.getAttribute('html', 'lang'), options.locale === 'de-DE' ? 'de' : 'en');
    await check();
    await signIn(page, { ...user, password: 'not the password' });
    await page.waitForSelector('#error');
    assert.equal(await page.locator('#support-id').count(), 0); // support cannot help there
    await check();
    await signIn(page, user);
    await page.waitForSelector('input[name=passcode]');
    await check();
    await enter(page, '000000', '#mfa-submit');
    await page.waitForSelector('#error');
    await check();
    const [answer] = await Promise.all([arrival(page, bank), (async () => {
      await enter(page, await code(user.totp), '#mfa-submit');
    })()]);
    assert.equal(answer.url.searchParams.get('state'), 'state-of-the-browser-test');
    assert.ok(answer.url.searchParams.get('code'));
  }));

  test(`enrolment and recovery codes: ${look}`, () => visit(options, async (page) => {
    const user = take('plain');
    const check = async () => {
      await fits(page);
      if (options.javaScriptEnabled !== false) await accessible(page);
    };
    await page.goto(authorizeURL(bank).url);
    await signIn(page, user);
    await page.waitForSelector('#enroll-begin');
    await check();
    await page.click('#enroll-begin');
    const secret = (await page.textContent('#enroll-secret')).replace(/\s/g, '');
    assert.ok(await page.locator('#enroll-qr').evaluate((i) => i.naturalWidth > 100));
    await check();
    await enter(page, await code(secret), '#enroll-submit');
    await page.waitForSelector('#recovery-codes');
    await check();
    const shown = await page.textContent('#recovery-codes');
    await page.reload();
    assert.equal(await page.textContent('#recovery-codes'), shown, 'until they are acknowledged a reload shows them again');
    const [answer] = await Promise.all([arrival(page, bank), page.click('#recovery-done')]);
    assert.ok(answer.url.searchParams.get('code'));
    await page.goBack().catch(() => {});
    assert.equal(await page.locator('#recovery-codes').count(), 0, 'acknowledged codes are not shown again');
  }));
}

test('usable by keyboard', () => visit({}, async (page) => {
  const user = take('totp');
  await page.goto(authorizeURL(bank).url);
  assert.equal(await page.evaluate(() => document.activeElement.name), 'username');
  await page.keyboard.type(user.username);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.name), 'password');
  await page.keyboard.type(user.password);
  await page.keyboard.press('Enter');
  await page.waitForSelector('input[name=passcode]:focus');
  const typed = await code(user.totp);
  const [answer] = await Promise.all([arrival(page, bank), (async () => {
    await page.keyboard.type(`${typed.slice(0, 3)} ${typed.slice(3)}`);
    await page.keyboard.press('Enter');
  })()]);
  assert.ok(answer.url.searchParams.get('code'));
}));

test('fields help the browser to fill them', () => visit({}, async (page) => {
  const user = take('totp');
  await page.goto(authorizeURL(bank).url);
  assert.match(await page.getAttribute('input[name=username]', 'autocomplete'), /username/);
  assert.equal(await page.getAttribute('input[name=password]', 'autocomplete'), 'current-password');
  await signIn(page, user);
  const field = page.locator('input[name=passcode]');
  assert.equal(await field.getAttribute('autocomplete'), 'one-time-code');
  assert.equal(await field.getAttribute('inputmode'), 'numeric');
}));

test('two tabs: the second continues at the current step', () => visit({}, async (first, context) => {
  const user = take('plain');
  const { url } = authorizeURL(spa);
  await first.goto(url);
  const second = await context.newPage();
  await second.goto(first.url());
  const [answer] = await Promise.all([arrival(first, spa), signIn(first, user)]);
  assert.ok(answer.url.searchParams.get('code'));
  await signIn(second, user);
  await second.waitForLoadState();
  assert.ok(await second.locator('a[href], form button').count() > 0, 'the page of the finished login links onwards');
  await fits(second);
  await accessible(second);
}));

test('Back, reload and a stale form continue at the current step', () => visit({}, async (page) => {
  const user = take('totp');
  await page.goto(authorizeURL(bank).url);
  const login = page.url();
  await signIn(page, user);
  await page.waitForSelector('input[name=passcode]');
  await page.reload();
  await page.waitForSelector('input[name=passcode]');
  await page.goto(login);
  await page.waitForSelector('input[name=passcode]', { timeout: 5000 });
  await page.goBack();
  await page.waitForLoadState();
  assert.ok(await page.locator('input').count() > 0);
}));

test('a bookmarked login page says what to do', () => visit({}, async (page) => {
  for (const path of ['/login', '/login?requestId=00000000-0000-0000-0000-000000000000', '/mfa', '/continue', '/nowhere']) {
    const answer = await page.goto(stage.issuer + path);
    assert.ok(answer.status() >= 400 && answer.status() < 500, `${path}: ${answer.status()}`);
    assert.ok((await page.textContent('main')).trim().length > 40, path);
    await fits(page);
    await accessible(page);
  }
}));

test('an invalid authorization request is not redirected', () => visit({}, async (page) => {
  const { url } = authorizeURL(spa, { redirect_uri: 'https://evil.example.com/' });
  const answer = await page.goto(url);
  assert.equal(answer.status(), 400);
  assert.match(await page.textContent('#oauth-error'), /invalid_request.*redirect_uri/s);
  assert.equal(await page.locator('a[href*="evil"]').count(), 0);
  await accessible(page);
}));

test('consent: denied, then allowed, then remembered', () => visit({}, async (page) => {
  const user = take('plain');
  const { url } = authorizeURL(asks);
  await page.goto(url);
  await signIn(page, user);
  await page.waitForSelector('#consent-deny');
  await fits(page);
  await accessible(page);
  const [denied] = await Promise.all([arrival(page, asks), page.click('#consent-deny')]);
  assert.equal(denied.url.searchParams.get('error'), 'access_denied');
  await page.goto(url);
  await signIn(page, user);
  const [allowed] = await Promise.all([arrival(page, asks), page.click('#consent-allow')]);
  assert.ok(allowed.url.searchParams.get('code'));
  const [silent] = await Promise.all([arrival(page, asks), page.goto(url).catch(() => {})]);
  assert.ok(silent.url.searchParams.get('code'));
}));

test('form_post, with scripts and without', async () => {
  for (const javaScriptEnabled of [true, false]) {
    await visit({ javaScriptEnabled }, async (page) => {
      const user = take('plain');
      await page.goto(authorizeURL(spa, { response_mode: 'form_post' }).url);
      const [answer] = await Promise.all([arrival(page, spa), (async () => {
        await signIn(page, user);
        if (!javaScriptEnabled) await page.click('form button');
      })()]);
      assert.equal(answer.method, 'POST');
      assert.match(answer.post, /code=.*/);
    });
  }
});

test('only the page\'s scripts run, not others of the same origin', async () => {
  const context = await (await browser()).newContext();
  try {
    const page = await context.newPage();
    await page.goto(authorizeURL(spa).url);
    await page.route('**/smuggled.*', (route) => route.fulfill({
      contentType: route.request().url().endsWith('.js') ? 'text/javascript' : 'text/css',
      body: route.request().url().endsWith('.js') ? 'window.smuggled = true' : 'main { display: none }',
    }));
    await page.route('**/login?*', async (route) => {
      const answer = await route.fetch();
      const smuggled = '<script src="/smuggled.js"></script><script>window.smuggled = true</script><script nonce="x">window.smuggled = true</script>'
        + '<img src="data:," onerror="window.smuggled = true"><link rel="stylesheet" href="/smuggled.css"><style>main { display: none }</style>';
      await route.fulfill({ response: answer, body: (await answer.text()).replace('<main', `${smuggled}<main`) });
    });
    await page.addInitScript(() => {
      window.refused = [];
      document.addEventListener('securitypolicyviolation', (e) => window.refused.push(`${e.effectiveDirective} ${e.blockedURI}`.replace(location.origin, '')));
    });
    await page.reload();
    assert.deepEqual((await page.evaluate(() => window.refused)).sort(), ['script-src-attr inline', 'script-src-elem /smuggled.js', 'script-src-elem inline',
      'script-src-elem inline', 'style-src-elem /smuggled.css', 'style-src-elem inline']);
    assert.equal(await page.evaluate(() => window.smuggled), undefined);
    assert.equal(await page.locator('main').isVisible(), true);
    assert.equal(await page.locator('[data-show]').isVisible(), true, 'the server\'s script still runs');
  } finally {
    await context.close();
  }
});

test('logout asks for confirmation and confirms', () => visit({}, async (page) => {
  const user = take('plain');
  await page.goto(authorizeURL(spa).url);
  await Promise.all([arrival(page, spa), signIn(page, user)]);
  await page.goto(`${stage.issuer}/logout`);
  await page.waitForSelector('#logout-page');
  await accessible(page);
  await page.click('#logout-confirm');
  await page.waitForSelector('#logged-out');
  await accessible(page);
  const [answer] = await Promise.all([arrival(page, spa), page.goto(authorizeURL(spa, { prompt: 'none' }).url).catch(() => {})]);
  assert.equal(answer.url.searchParams.get('error'), 'login_required');
}));

test('after many wrong passwords the page says how long to wait', () => visit({}, async (page) => {
  const user = take('plain');
  await page.goto(authorizeURL(spa).url);
  for (let i = 0; i < 6; i++) await signIn(page, { ...user, password: `wrong ${i}` });
  assert.match(await page.textContent('#error'), /\d/);
  await accessible(page);
}));

// An application in a browser, on its own origin: oidc-client-ts as published, and calls of
// the login API like the sample in samples/spa.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { stage } from './lib.mjs';

// application is the script of every page. It acts without the test only in the frame of a silent
// request and in a popup; otherwise the test controls it.
async function application() {
  const { Login } = await import('/login.js');
  const settings = (client, more) => ({
    authority: window.issuer, client_id: client, redirect_uri: `${location.origin}/callback`,
    post_logout_redirect_uri: `${location.origin}/callback/bye`, scope: 'openid profile email offline_access',
    filterProtocolClaims: false, loadUserInfo: true, ...more,
  });
  const manager = (client, more) => new window.oidc.UserManager(settings(client, more));
  if (window.parent !== window) {
    await manager('tab').signinSilentCallback();
    return;
  }
  if (window.opener) {
    const ends = location.pathname === '/callback/bye';
    await manager('tab')[ends ? 'signoutPopupCallback' : 'signinPopupCallback']();
    return;
  }
  const login = new Login(window.issuer);
  // through follows the steps; wanted has the user's input.
  const through = async (step, wanted) => {
    const seen = [];
    while (!step.redirect_to && step.step !== 'done') {
      seen.push(step.step);
      if (step.step === 'identify') step = await login.call('/password', step, { identifier: wanted.username, password: wanted.password });
      else if (step.step === 'verify') step = await login.call('/verify', step, { method: step.options.find((o) => o.numeric).method, passcode: wanted.passcode });
      else throw new Error(`the login is at ${step.step}`);
    }
    return { step, seen };
  };
  window.app = {
    manager,
    summary: ({ profile, access_token: access, refresh_token: refresh, id_token: id, expires_in: expires }) => ({ profile, access, refresh, id, expires }),
    // shown is the login page: it continues only logins that this browser began.
    shown: async (wanted) => {
      const begun = await login.call('/step', { request_id: new URLSearchParams(location.search).get('requestId') });
      const { step, seen } = await through(begun, wanted);
      if (!localStorage.getItem(`oidc.${step.state}`)) throw new Error('this login did not begin here');
      setTimeout(() => login.takeOver(step));
      return seen;
    },
    // alone signs in without leaving the page.
    alone: async (client, args, wanted) => {
      const { url } = await new window.oidc.OidcClient(settings(client)).createSigninRequest(args);
      let { step } = await through(await login.begin(Object.fromEntries(new URL(url).searchParams)), wanted);
      step = await login.call('/finish', step);
      return window.app.summary(await manager(client).signinRedirectCallback(step.redirect_to));
    },
  };
}

const read = (path) => readFileSync(new URL(path, import.meta.url), 'utf8');
const script = (text) => ['text/javascript; charset=utf-8', text];
const files = {
  '/oidc.js': script(read('./node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js')),
  '/login.js': script(read('../samples/spa/login.js')),
};
const html = ['text/html; charset=utf-8', `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="referrer" content="strict-origin">
<title>An application</title><link rel="icon" href="data:,"><body><script src="/oidc.js"></script>
<script>window.issuer=${JSON.stringify(stage.issuer)};(${application})()</script>`];

const server = createServer((call, answer) => {
  const [type, text] = files[new URL(call.url, stage.pages).pathname] ?? html;
  answer.writeHead(200, { 'content-type': type }).end(text);
});

/** servePages listens on the registered origin. */
export const servePages = () => new Promise((up) => {
  const { hostname, port } = new URL(stage.pages);
  server.listen(Number(port), hostname, up);
});

export const stopPages = () => {
  server.close();
  server.closeAllConnections();
};

/** arrive waits until the tab is at a page of the application. */
export async function arrive(page, path) {
  await page.waitForURL((url) => url.origin === stage.pages && url.pathname === path);
  await page.waitForFunction(() => window.app);
}

/** leave calls a method of the library's UserManager that redirects the browser. */
export const leave = (page, client, method, args) => page.evaluate(([id, name, a]) => {
  window.left = window.app.manager(id)[name](a);
}, [client, method, args]);

/** back lets the library handle the callback with the code, and clears the URL. */
export async function back(page, client) {
  await arrive(page, '/callback');
  const user = await page.evaluate(async (id) => {
    const got = await window.app.manager(id).signinRedirectCallback();
    history.replaceState(null, '', '/');
    return window.app.summary(got);
  }, client);
  assert.equal(user.profile.iss, stage.issuer);
  return user;
}

// A user with a browser without scripts, for applications that are not pages; and the same
// user with an application's own login page.
import assert from 'node:assert/strict';
import { codeAt, stage } from './lib.mjs';

const entities = { amp: '&', lt: '<', gt: '>', '#34': '"', '#39': "'", '#43': '+' };
const attribute = (tag, name) => new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1]
  .replace(/&([^;]+);/g, (all, entity) => entities[entity] ?? assert.fail(`the page holds ${all}`));

/** passcode returns the current code of a user's app. Each works once. */
export const passcode = (user) => codeAt(user.totp, Math.floor(Date.now() / 30000));

/** Person keeps cookies, follows redirects of the provider, and fills in its forms. */
export class Person {
  #cookies = new Map();

  /** open goes to an address and on until there is a page, or the way leads to a client: then that is returned. */
  async open(address) {
    return this.#send(new URL(address, this.url));
  }

  /** submit presses the button with the given id, after filling in the given fields. */
  async submit(button, fields = {}) {
    const form = this.page.split('<form').slice(1).map((text) => text.split('</form>')[0]).find((text) => text.includes(` id="${button}"`));
    assert.ok(form, `${this.url.pathname} has no button ${button}:\n${this.page}`);
    const values = new URLSearchParams();
    for (const [tag] of form.matchAll(/<input[^>]*>/g)) {
      if (attribute(tag, 'type') !== 'checkbox' || / checked[ >]/.test(tag)) values.append(attribute(tag, 'name'), attribute(tag, 'value') ?? '');
    }
    const pressed = [...form.matchAll(/<button[^>]*>/g)].map(([tag]) => tag).find((tag) => tag.includes(` id="${button}"`));
    if (pressed && attribute(pressed, 'name')) values.set(attribute(pressed, 'name'), attribute(pressed, 'value') ?? '');
    for (const [name, value] of Object.entries(fields)) {
      assert.ok(values.has(name), `the form of ${button} has no field ${name}`);
      values.set(name, value);
    }
    return this.#send(new URL(attribute(`<form${form}`, 'action'), this.url), values);
  }

  /** signIn goes through the hosted login page and, if required, the page of the second factor, and consents only if told to. */
  async signIn(address, user, { consents = false } = {}) {
    let arrived = await this.open(address);
    if (!arrived && this.url.pathname === '/login') arrived = await this.submit('login-submit', { username: user.username, password: user.password });
    if (!arrived && this.url.pathname === '/mfa') arrived = await this.submit('mfa-submit', { passcode: passcode(user) });
    if (!arrived && consents && this.url.pathname === '/consent') arrived = await this.submit('consent-allow');
    assert.ok(arrived, `not back at the client, but at ${this.url?.pathname}:\n${this.page}`);
    return arrived;
  }

  async #send(to, body) {
    for (;;) {
      const answer = await fetch(to, {
        method: body ? 'POST' : 'GET', body, redirect: 'manual',
        headers: {
          'accept-language': 'en', cookie: [...this.#cookies].map((pair) => pair.join('=')).join('; '),
          ...(body && { origin: stage.issuer }),
        },
      });
      for (const line of answer.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
        if (/;\s*max-age=(0|-)/i.test(line)) this.#cookies.delete(name); else this.#cookies.set(name, value);
      }
      [this.url, this.page] = [to, await answer.text()];
      assert.ok(answer.status < 500, `${to.pathname}: ${answer.status}\n${this.page}`);
      if (answer.status < 300 || answer.status > 399) return undefined;
      [to, body] = [new URL(answer.headers.get('location'), to), undefined];
      if (to.origin !== stage.issuer) return to;
    }
  }
}

/** headless signs a user in by API calls and returns the redirect URI with the response. */
export async function headless(address, user) {
  const call = async (path, body) => {
    const answer = await fetch(`${stage.issuer}/api/login/v1${path}`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
    });
    const found = await answer.json();
    assert.equal(answer.status, 200, `${path}: ${JSON.stringify(found)}`);
    return found;
  };
  let step = await call('/requests', Object.fromEntries(new URL(address).searchParams));
  const acts = {
    identify: () => call('/password', { request_id: step.request_id, identifier: user.username, password: user.password }),
    verify: () => call('/verify', {
      request_id: step.request_id, login_token: step.login_token, method: step.options.find((o) => o.numeric).method, passcode: passcode(user),
    }),
    done: () => call('/finish', { request_id: step.request_id, login_token: step.login_token }),
  };
  while (!step.redirect_to) {
    assert.ok(acts[step.step], `the login is at ${step.step}`);
    step = await acts[step.step]();
  }
  return new URL(step.redirect_to);
}

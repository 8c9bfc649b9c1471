// Applications on frameworks as published: Passport and Auth.js, in express, with a person in Chromium.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Auth } from '@auth/core';
import express from 'express';
import session from 'express-session';
import passport from 'passport';
import { Strategy } from 'passport-openidconnect';
import { closeBrowser, signIn, stage, visit } from './lib.mjs';

const user = () => stage.users.plain.shift() ?? assert.fail('the stage has no more users');
let server;

// ends redirects the browser to the end-session endpoint.
const ends = (answer, client, hint) => answer.redirect(`${stage.issuer}/logout?${new URLSearchParams({
  client_id: client, id_token_hint: hint, post_logout_redirect_uri: `${stage.pages}/bye`, state: 'left' })}`);

function withPassport(app) {
  const endpoint = (name) => `${stage.issuer}/${name}`;
  passport.use(new Strategy({
    issuer: stage.issuer, authorizationURL: endpoint('authorize'), tokenURL: endpoint('token'), userInfoURL: endpoint('userinfo'),
    clientID: 'passport', clientSecret: stage.secret, callbackURL: `${stage.pages}/passport/callback`, scope: ['profile', 'email'], nonce: true, maxAge: 600, skipUserProfile: false,
  }, (issuer, profile, context, idToken, accessToken, refreshToken, done) => done(null, { issuer, profile, context, idToken, accessToken })));
  passport.serializeUser((who, done) => done(null, who));
  passport.deserializeUser((who, done) => done(null, who));
  const kept = session({ secret: randomUUID(), resave: false, saveUninitialized: false });
  app.use('/passport', kept, passport.session());
  app.get('/passport/login', passport.authenticate('openidconnect'));
  app.get('/passport/callback', passport.authenticate('openidconnect', { failureRedirect: '/passport/failed', failureMessage: true }), (_, answer) => answer.redirect('/passport/me'));
  app.get('/passport/me', (request, answer) => answer.json(request.user ?? null));
  app.get('/passport/failed', (request, answer) => answer.json({ failed: request.session.messages }));
  app.get('/passport/logout', (request, answer, next) => {
    const { idToken } = request.user;
    request.logout((fault) => (fault ? next(fault) : ends(answer, 'passport', idToken)));
  });
}

async function withAuthJS(app) {
  const key = await crypto.subtle.importKey('jwk', { ...stage.clientKey, alg: undefined }, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
  const base = { type: 'oidc', issuer: stage.issuer, checks: ['pkce', 'state', 'nonce'], authorization: { params: { scope: 'openid profile email' } } };
  const config = {
    secret: randomUUID(), trustHost: true, basePath: '/auth',
    providers: [
      { ...base, id: 'authjs', name: 'Harbour', clientId: 'authjs', clientSecret: stage.secret },
      { ...base, id: 'authjs-keys', name: 'Harbour by key', clientId: 'authjs-keys', client: { token_endpoint_auth_method: 'private_key_jwt' }, token: { clientPrivateKey: { key, kid: 'first' } }, idToken: false },
    ],
    callbacks: {
      jwt: ({ token, account, profile }) => (account ? { ...token, idToken: account.id_token, client: account.provider, given: profile.given_name } : token),
      session: ({ session: shown, token }) => ({ ...shown, idToken: token.idToken, client: token.client, given: token.given }),
    },
    logger: { error: (e) => { throw e; } },
  };
  const call = async (request, answer) => {
    const asked = new Request(stage.pages + request.originalUrl, { method: request.method, headers: request.headers, body: request.method === 'POST' ? new URLSearchParams(request.body) : undefined });
    const response = await Auth(asked, config);
    answer.status(response.status);
    response.headers.forEach((value, name) => { if (name !== 'set-cookie') answer.set(name, value); });
    for (const cookie of response.headers.getSetCookie()) answer.append('set-cookie', cookie);
    answer.send(await response.text());
  };
  app.use('/auth', express.urlencoded({ extended: false }), (request, answer, next) => call(request, answer).catch(next));
  app.get('/leave', async (request, answer) => {
    const response = await Auth(new Request(`${stage.pages}/auth/session`, { headers: request.headers }), config);
    const { client, idToken } = await response.json();
    ends(answer, client, idToken);
  });
}

before(async () => {
  const app = express();
  withPassport(app);
  await withAuthJS(app);
  app.use((request, answer) => answer.send(`<!doctype html><title>App</title><p id="at">${request.path}`));
  await new Promise((done) => { server = app.listen(Number(new URL(stage.pages).port), '127.0.0.1', done); });
});
after(async () => {
  await closeBrowser();
  server.closeAllConnections();
  server.close();
});

const shown = async (page, path) => {
  const response = await page.goto(`${stage.pages}${path}`);
  return response.json();
};

test('passport-openidconnect: login, profile, refusal and logout', () => visit({}, async (page) => {
  const who = user();
  await page.goto(`${stage.pages}/passport/login`);
  await signIn(page, who);
  await page.waitForURL('**/passport/me');
  const me = await shown(page, '/passport/me');
  assert.deepEqual([me.issuer, me.profile.emails[0].value, me.profile.name.givenName], [stage.issuer, who.email, 'User']);
  assert.match(me.profile.id, /^[0-9a-f-]{36}$/);
  assert.ok(me.context.timestamp, 'auth_time');

  await page.goto(`${stage.pages}/passport/login`); // signed in once is enough
  await page.waitForURL('**/passport/me');
  await page.goto(`${stage.pages}/passport/logout`);
  await page.waitForURL('**/bye?state=left');
  assert.equal(await shown(page, '/passport/me'), null);
  await page.goto(`${stage.pages}/passport/login`);
  await page.click('#cancel');
  await page.waitForURL('**/passport/failed');
  assert.ok((await shown(page, '/passport/failed')).failed.length > 0);
}));

for (const [id, name] of [['authjs', 'Harbour'], ['authjs-keys', 'Harbour by key']]) {
  test(`Auth.js: ${id} signs in, shows the claims and signs out`, () => visit({}, async (page) => {
    const who = user();
    await page.goto(`${stage.pages}/auth/signin`);
    await page.getByRole('button', { name: `Sign in with ${name}`, exact: true }).click();
    await signIn(page, who);
    await page.waitForURL(`${stage.pages}/`);
    const got = await shown(page, '/auth/session');
    assert.deepEqual([got.user.email, got.given, got.client], [who.email, 'User', id]);

    await page.goto(`${stage.pages}/leave`);
    await page.waitForURL('**/bye?state=left');
    await page.goto(`${stage.pages}/auth/signout`);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.waitForURL(`${stage.pages}/`);
    assert.equal(await shown(page, '/auth/session'), null);
    await page.goto(`${stage.pages}/auth/signin`);
    await page.getByRole('button', { name: `Sign in with ${name}`, exact: true }).click();
    await page.waitForSelector('#login-submit'); // the server's session is over, too
  }));
}

// A server on oidc-provider, with a login page, for the comparison.
// node oidcprovider.mjs FOLDER SETTINGS: the folder has node_modules, the settings are JSON.
import { createHash, generateKeyPairSync, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, text] = process.argv.slice(2);
const settings = JSON.parse(text);
const main = resolve(folder, 'node_modules/oidc-provider/lib/index.js');
const { default: Provider } = await import(pathToFileURL(main).href);

const digest = (password) => createHash('sha256').update(password).digest();
const password = digest(settings.password);
const users = new Set(settings.users);
const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
const resource = `${settings.issuer}/api`;

const provider = new Provider(settings.issuer, {
  clients: [{
    client_id: settings.client,
    client_secret: settings.secret,
    redirect_uris: [settings.redirect],
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
    id_token_signed_response_alg: 'ES256',
  }],
  jwks: { keys: [{ ...key, use: 'sig', alg: 'ES256', kid: 'one' }] },
  cookies: { keys: ['a key for the cookies of the comparison'] },
  claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
  conformIdTokenClaims: false,
  rotateRefreshToken: true,
  issueRefreshToken: () => true,
  ttl: { AccessToken: 600, IdToken: 600, RefreshToken: 86400, Session: 43200, Grant: 86400, Interaction: 1800, ClientCredentials: 600 },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    // Tokens of a client are JWTs for the resource; those of users are opaque, for userinfo.
    resourceIndicators: {
      enabled: true,
      defaultResource: (ctx) => (ctx.oidc.params?.grant_type === 'client_credentials' ? resource : undefined),
      useGrantedResource: () => false,
      getResourceServerInfo: () => ({ scope: 'api', accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } }),
    },
  },
  findAccount: (_, id) => (users.has(id) ? {
    accountId: id,
    claims: () => ({ sub: id, name: `Bench ${id}`, email: `${id}@example.com`, email_verified: true }),
  } : undefined),
  // Nobody is asked for consent: the client is the provider's own.
  loadExistingGrant: async (ctx) => {
    const { Grant } = ctx.oidc.provider;
    const known = ctx.oidc.session.grantIdFor(ctx.oidc.client.clientId);
    if (known) return Grant.find(known);
    const grant = new Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope(settings.scope);
    await grant.save();
    return grant;
  },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
});

const page = (path) => `<!doctype html>
<html lang="en"><head><title>Sign in</title></head><body><h1>Sign in</h1>
<form method="post" action="${path}">
<label>Name <input type="text" name="login"></label>
<label>Password <input type="password" name="password"></label>
<button>Sign in</button></form></body></html>`;

async function interaction(req, res) {
  const { uid } = await provider.interactionDetails(req, res);
  if (req.method === 'GET') {
    res.setHeader('Content-Type', 'text/html; charset=utf-8');
    res.end(page(`/interaction/${uid}`));
    return;
  }
  let body = '';
  for await (const part of req) body += part;
  const form = new URLSearchParams(body);
  if (!users.has(form.get('login')) || !timingSafeEqual(digest(form.get('password')), password)) {
    res.statusCode = 403;
    res.end('The name or the password is wrong.');
    return;
  }
  await provider.interactionFinished(req, res, { login: { accountId: form.get('login') } }, { mergeWithLastSubmission: false });
}

const callback = provider.callback();
createServer((req, res) => {
  if (!req.url.startsWith('/interaction/')) {
    callback(req, res);
    return;
  }
  interaction(req, res).catch((err) => {
    res.statusCode = 500;
    res.end(String(err));
  });
}).listen(settings.port, '127.0.0.1');

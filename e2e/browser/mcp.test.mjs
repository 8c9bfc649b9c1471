// Clients of the Model Context Protocol: its SDK, and requests as VS Code, Claude and the inspector send
// them. Their client_id is the address of a document, which nobody registered. Tools that run are in
// mcptools.test.mjs.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { jwtVerify } from 'jose';
import { accessible, arrival, closeBrowser, fits, signIn, stage, visit } from './lib.mjs';
import { Person } from './person.mjs';
import { describe, keys, resource, serveTools, stopTools } from './tools.mjs';

before(serveTools);
after(async () => {
  stopTools();
  await closeBrowser();
});

const user = () => stage.users.plain.shift();

// A provider of the SDK that keeps everything in memory.
const provider = (document, redirect) => {
  const kept = {};
  return {
    kept, clientMetadataUrl: document, redirectUrl: redirect,
    clientMetadata: { client_name: 'Editor', redirect_uris: [redirect] },
    clientInformation: () => kept.client, saveClientInformation: (client) => { kept.client = client; },
    tokens: () => kept.tokens, saveTokens: (tokens) => { kept.tokens = tokens; },
    state: () => 'state-of-the-sdk', redirectToAuthorization: (url) => { kept.url = url; },
    codeVerifier: () => kept.verifier, saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
  };
};

const connect = async (authProvider) => {
  const client = new Client({ name: 'editor', version: '1.0.0' });
  const transport = new StreamableHTTPClientTransport(new URL(resource), { authProvider });
  try {
    await client.connect(transport);
  } catch (e) {
    if (!(e instanceof UnauthorizedError)) throw e;
    return { transport };
  }
  return { client, transport };
};

test('the SDK connects, calls a tool, and refreshes', async () => {
  const redirect = 'http://localhost:49152/callback';
  const p = provider(describe('/editor.json', ['http://localhost/callback', 'http://127.0.0.1/callback']), redirect);
  const { transport } = await connect(p);
  assert.equal(p.kept.client.client_id, `${stage.tools}/editor.json`);
  assert.equal(p.kept.url.searchParams.get('resource'), resource);
  const person = new Person();
  const who = user();
  await person.open(p.kept.url);
  await person.submit('login-submit', { username: who.username, password: who.password });
  assert.equal(person.url.pathname, '/consent');
  assert.ok(person.page.includes(new URL(stage.tools).host) && person.page.includes('/editor.json') && person.page.includes('tools:read'), person.page);
  const arrived = await person.submit('consent-allow');
  assert.equal(arrived.origin + arrived.pathname, redirect);
  await transport.finishAuth(arrived.searchParams.get('code'));
  assert.equal(p.kept.tokens.scope.includes('tools:read'), true);
  const { client } = await connect(p);
  assert.deepEqual((await client.listTools()).tools.map((tool) => tool.name), ['tide']);
  assert.equal((await client.callTool({ name: 'tide' })).content[0].text, 'high');
  await client.close();
  const before = p.kept.tokens;
  p.kept.tokens = { ...before, access_token: 'expired' };
  const again = await connect(p);
  assert.notEqual(p.kept.tokens.refresh_token, before.refresh_token);
  assert.equal((await again.client.callTool({ name: 'tide' })).content[0].text, 'high');
  await again.client.close();
});


// Requests as clients send them. Each has its own redirect URIs, scopes, spelling of the resource, and
// way to the metadata of the server.
for (const { name, document, redirects, redirect, scope, named, metadata, prompt } of [
  { name: 'an editor with a page of its own and a port', document: '/vscode/client-metadata.json', redirects: ['http://127.0.0.1:33418/', 'http://127.0.0.1/', 'https://vscode.example/redirect'],
    redirect: 'http://127.0.0.1:33418/', scope: 'tools:read offline_access', named: () => resource, metadata: '/.well-known/oauth-authorization-server' },
  { name: 'an assistant in a terminal', document: '/oauth/code-client-metadata', redirects: ['http://localhost/callback', 'http://127.0.0.1/callback'],
    redirect: 'http://localhost:61234/callback', scope: 'tools:read', named: () => `${stage.bare}/`, metadata: '/.well-known/openid-configuration', prompt: 'consent' },
  // Recorded with @modelcontextprotocol/inspector 2.12.0 and --client-metadata-url, at this server.
  { name: 'the inspector', document: '/inspector.json', redirects: ['http://127.0.0.1:6276/oauth/callback'],
    redirect: 'http://127.0.0.1:6276/oauth/callback', scope: 'tools:read offline_access', named: () => resource, metadata: '/.well-known/oauth-authorization-server', prompt: 'consent' },
]) {
  test(`requests of ${name}`, async () => {
    const id = describe(document, redirects, { grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'], application_type: 'native' });
    const server = await (await fetch(stage.issuer + metadata, { headers: { 'mcp-protocol-version': '2025-11-25' } })).json();
    assert.equal(server.issuer, stage.issuer);
    assert.equal(server.client_id_metadata_document_supported, true);
    assert.ok(server.code_challenge_methods_supported.includes('S256') && server.token_endpoint_auth_methods_supported.includes('none'));
    assert.ok(server.protected_resources.includes(resource));
    const verifier = 'a'.repeat(64);
    const q = new URLSearchParams({ response_type: 'code', client_id: id, code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256',
      redirect_uri: redirect, state: 'abc', resource: named(), ...(scope && { scope }), ...(prompt && { prompt }) });
    const who = user();
    let address;
    await visit({ viewport: { width: 320, height: 700 } }, async (page) => {
      await page.goto(`${server.authorization_endpoint}?${q}`);
      await signIn(page, who);
      await page.waitForSelector('#described');
      assert.ok((await page.textContent('#described')).includes(id));
      assert.ok((await page.textContent('#destination')).includes('this device'));
      await fits(page);
      await accessible(page);
      const [arrived] = await Promise.all([arrival(page, { redirect }), page.click('#consent-allow')]);
      address = arrived.url;
    });
    assert.equal(address.searchParams.get('iss'), stage.issuer);
    assert.equal(address.searchParams.get('state'), 'abc');
    const post = (form) => fetch(server.token_endpoint, { method: 'POST', headers: { origin: 'http://localhost:6274' }, body: new URLSearchParams({ client_id: id, ...form }) });
    const answer = await post({ grant_type: 'authorization_code', code: address.searchParams.get('code'), code_verifier: verifier, redirect_uri: redirect, resource: named() });
    const tokens = await answer.json();
    assert.equal(answer.status, 200, JSON.stringify(tokens));
    assert.ok(answer.headers.get('access-control-allow-origin')); // the inspector is a page
    const { payload } = await jwtVerify(tokens.access_token, keys, { issuer: stage.issuer });
    assert.deepEqual([payload.aud, payload.client_id, tokens.scope], [named().replace(/\/$/, ''), id, scope ?? '']);
    const next = await (await post({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token, resource: named() })).json();
    assert.equal((await jwtVerify(next.access_token, keys)).payload.aud, payload.aud);
    const elsewhere = await (await post({ grant_type: 'refresh_token', refresh_token: next.refresh_token, resource: 'https://elsewhere.example' })).json();
    assert.equal(elsewhere.error, 'invalid_target');
  });
}

// Tools of the Model Context Protocol as published: its conformance suite for authorization servers, a
// proxy that people run, and the clients of two SDKs. Nobody registered them.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { auth as authAI, createMCPClient } from '@ai-sdk/mcp';
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import { stage } from './lib.mjs';
import { Person } from './person.mjs';
import { describe, resource, serveTools, stopTools } from './tools.mjs';

before(serveTools);
after(stopTools);

const user = () => stage.users.plain.shift() ?? assert.fail('the stage has no more users');
const packages = join(dirname(fileURLToPath(import.meta.url)), 'node_modules');

const freePort = () => new Promise((done) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => done(port));
  });
});

// program starts a program of a package in a folder of its own; awaiting() resolves with the first match
// in what it writes.
function program(args, env = {}) {
  const home = mkdtempSync(join(tmpdir(), 'tools-'));
  const child = spawn(process.execPath, args, { cwd: home, env: { ...process.env, HOME: home, BROWSER: '/bin/true', NO_COLOR: '1', ...env(home) } });
  let text = '';
  const waiting = [];
  const look = () => waiting.forEach((w) => { const found = w.pattern.exec(text); if (found) w.done(found); });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => { text += part; look(); });
  const ended = new Promise((done) => child.on('close', (status) => { waiting.forEach((w) => w.fail(new Error(`it ended with ${status}:\n${text}`))); done({ status, text }); }));
  return { home, child, ended, awaiting: (pattern) => new Promise((done, fail) => { waiting.push({ pattern, done, fail }); look(); }),
    stop: async () => { child.kill(); await ended; rmSync(home, { recursive: true }); } };
}

// allow signs a person in, who consents and is led to the program, which listens.
async function allow(address) {
  const arrived = await new Person().signIn(address, user(), { consents: true });
  return fetch(arrived);
}

test('the conformance suite finds no fault in the authorization server', async () => {
  const port = await freePort();
  const client = await (await fetch(`${stage.issuer}/register`, { method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: [`http://127.0.0.1:${port}/callback`], token_endpoint_auth_method: 'none', scope: 'tools:read' }) })).json();
  // It is written for a later Node.js: the one function that is missing is for its own sources.
  const fs = `data:text/javascript,${encodeURIComponent("import fs from 'node:fs'; export * from 'node:fs'; export default fs; export const globSync = () => [];")}`;
  const hook = `data:text/javascript,${encodeURIComponent(`export const resolve = (name, context, next) => (name === 'fs' && context.parentURL?.includes('/conformance/') ? { url: ${JSON.stringify(fs)}, shortCircuit: true } : next(name, context));`)}`;
  const suite = program(['--import', `data:text/javascript,${encodeURIComponent(`import { register } from 'node:module'; register(${JSON.stringify(hook)});`)}`,
    join(packages, '@modelcontextprotocol/conformance/dist/index.js'), 'authorization', '--url', stage.issuer, '--client-id', client.client_id,
    '--resource', resource, '--port', String(port), '--output-dir', 'results'], () => ({}));
  try {
    const [address] = await suite.awaiting(/http\S+\/authorize\?\S+/);
    await allow(address);
    const { status, text } = await suite.ended;
    assert.equal(status, 0, text);
    const checks = readdirSync(join(suite.home, 'results'), { recursive: true }).filter((name) => name.endsWith('checks.json'))
      .flatMap((name) => JSON.parse(readFileSync(join(suite.home, 'results', name), 'utf8')));
    assert.deepEqual(checks.map((check) => [check.id, check.status]).sort(), ['authorization-code-grant', 'authorization-server-metadata', 'authorization-server-metadata-cimd'].map((id) => [id, 'SUCCESS']), text);
  } finally {
    await suite.stop();
  }
});

// call sends requests of the protocol to a program by its standard input, and returns the last result.
async function call(proxy, ...requests) {
  for (const request of requests) proxy.child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...request })}\n`);
  const id = requests.at(-1).id;
  const [line] = await proxy.awaiting(new RegExp(`^\\{.*"id":${id}[,}].*$`, 'm'));
  return JSON.parse(line).result;
}

for (const how of ['registers itself', 'has a document']) {
  test(`mcp-remote ${how}, and stays connected`, async () => {
    const port = await freePort();
    const args = [join(packages, 'mcp-remote/dist/proxy.js'), resource, String(port), '--host', '127.0.0.1'];
    if (how === 'has a document') args.push('--client-metadata-url', describe('/remote.json', ['http://127.0.0.1/oauth/callback', 'http://localhost/oauth/callback'], { client_name: 'Remote' }));
    const proxy = program(args, (home) => ({ MCP_REMOTE_CONFIG_DIR: home }));
    try {
      const asked = call(proxy, { id: 1, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'editor', version: '1' } } });
      const [address] = await proxy.awaiting(/http\S+\/authorize\?\S+/);
      const q = new URL(address).searchParams;
      assert.deepEqual([q.get('resource'), q.get('client_id').startsWith(stage.tools)], [resource, how === 'has a document']);
      assert.equal((await allow(address)).status, 200);
      assert.equal((await asked).serverInfo.name, 'tools');
      const found = await call(proxy, { method: 'notifications/initialized' }, { id: 2, method: 'tools/call', params: { name: 'tide', arguments: {} } });
      assert.equal(found.content[0].text, 'high');
    } finally {
      await proxy.stop();
    }
  });
}

// keeper is what both SDKs ask an application for: it keeps everything in memory.
const keeper = (redirect, more = {}) => {
  const kept = {};
  return {
    kept, redirectUrl: redirect, clientMetadata: { client_name: 'Editor', redirect_uris: [redirect], grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'], token_endpoint_auth_method: 'none' },
    clientInformation: () => kept.client, saveClientInformation: (client) => { kept.client = client; },
    tokens: () => kept.tokens, saveTokens: (tokens) => { kept.tokens = tokens; },
    authorizationServerInformation: () => kept.server, saveAuthorizationServerInformation: (server) => { kept.server = server; },
    discoveryState: () => kept.found, saveDiscoveryState: (found) => { kept.found = found; },
    state: () => 'state-of-the-sdk', redirectToAuthorization: (url) => { kept.url = url; },
    codeVerifier: () => kept.verifier, saveCodeVerifier: (verifier) => { kept.verifier = verifier; }, ...more,
  };
};
const redirect = 'http://127.0.0.1:49152/callback';

test('the AI SDK registers itself, connects, and refreshes', async () => {
  const provider = keeper(redirect);
  const options = { serverUrl: resource, scope: 'tools:read offline_access' };
  assert.equal(await authAI(provider, options), 'REDIRECT');
  assert.equal(provider.kept.url.searchParams.get('resource'), resource);
  const arrived = await new Person().signIn(provider.kept.url, user(), { consents: true });
  assert.equal(await authAI(provider, { ...options, authorizationCode: arrived.searchParams.get('code'), callbackState: arrived.searchParams.get('state') }), 'AUTHORIZED');
  const uses = async () => {
    const client = await createMCPClient({ transport: { type: 'http', url: resource, authProvider: provider } });
    assert.deepEqual(Object.keys(await client.tools()), ['tide']);
    await client.close();
  };
  await uses();
  const before = provider.kept.tokens;
  provider.kept.tokens = { ...before, access_token: 'expired' };
  await uses();
  assert.notEqual(provider.kept.tokens.refresh_token, before.refresh_token);
});

test('the second SDK of the protocol registers itself, connects, and refreshes', async () => {
  const provider = keeper(redirect);
  const connect = async () => {
    const client = new Client({ name: 'editor', version: '1.0.0' });
    const transport = new StreamableHTTPClientTransport(new URL(resource), { authProvider: provider });
    try {
      await client.connect(transport);
      return { client };
    } catch (e) {
      if (!(e instanceof UnauthorizedError)) throw e;
      return { transport };
    }
  };
  const { transport } = await connect();
  const arrived = await new Person().signIn(provider.kept.url, user(), { consents: true });
  await transport.finishAuth(arrived.searchParams);
  const uses = async () => {
    const { client } = await connect();
    assert.equal((await client.callTool({ name: 'tide' })).content[0].text, 'high');
    await client.close();
  };
  await uses();
  const before = provider.kept.tokens;
  provider.kept.tokens = { ...before, access_token: 'expired' };
  await uses();
  assert.notEqual(provider.kept.tokens.refresh_token, before.refresh_token);
});

// A server of the Model Context Protocol behind tokens, and the documents of clients.
import assert from 'node:assert/strict';
import { createServer } from 'node:https';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { stage } from './lib.mjs';

export const resource = `${stage.tools}/mcp`;
export const keys = createRemoteJWKSet(new URL(`${stage.issuer}/jwks.json`));
const documents = new Map(); // by path
let server;

/** describe publishes the document of a client, and returns its address. */
export const describe = (path, redirects, more = {}) => {
  documents.set(path, {
    client_id: stage.tools + path, client_name: 'Editor', redirect_uris: redirects, grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'], token_endpoint_auth_method: 'none', ...more,
  });
  return stage.tools + path;
};

/** publish makes an answer available at a path: JSON, or a request object. */
export const publish = (path, answer) => documents.set(path, answer);

const json = (answer, body, status = 200, headers = {}) => answer.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));

// The protected resource: documents of clients, its own metadata, and a tool behind a token.
async function serve(request, answer) {
  const path = new URL(request.url, stage.tools).pathname;
  const found = documents.get(path);
  if (typeof found === 'string') return answer.writeHead(200, { 'content-type': 'application/oauth-authz-req+jwt' }).end(found);
  if (found) return json(answer, found);
  if (path === '/.well-known/oauth-protected-resource/mcp') {
    return json(answer, { resource, authorization_servers: [stage.issuer], scopes_supported: ['tools:read'], bearer_methods_supported: ['header'] });
  }
  if (path !== '/mcp') return json(answer, {}, 404);
  const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  try {
    const { payload } = await jwtVerify(token, keys, { issuer: stage.issuer, audience: resource, typ: 'at+jwt' });
    assert.equal(payload.aud, resource);
    assert.ok(payload.scope.split(' ').includes('tools:read'));
  } catch {
    return json(answer, { error: 'invalid_token' }, 401, {
      'www-authenticate': `Bearer resource_metadata="${stage.tools}/.well-known/oauth-protected-resource/mcp", scope="tools:read"`,
    });
  }
  const mcp = new McpServer({ name: 'tools', version: '1.0.0' });
  mcp.registerTool('tide', { description: 'The tide' }, async () => ({ content: [{ type: 'text', text: 'high' }] }));
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  await mcp.connect(transport);
  return transport.handleRequest(request, answer);
}

export async function serveTools() {
  server = createServer({ cert: stage.ca, key: stage.key }, (request, answer) => serve(request, answer).catch((e) => json(answer, { error: String(e) }, 500)));
  await new Promise((done) => server.listen(Number(new URL(stage.tools).port), '127.0.0.1', done));
}

export function stopTools() {
  server.closeAllConnections();
  server.close();
}

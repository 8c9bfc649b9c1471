// AppAuth for Node.js as published. It is written for bundlers, which resolve
// "./token_request" without extension; Node.js does not. Instead of the desktop browser it
// opens the one set by browseWith.
import { register } from 'node:module';

const opener = `data:text/javascript,${encodeURIComponent('export default (address) => globalThis.openerOfAppAuth(address);')}`;
const resolve = `export const resolve = (name, context, next) => {
  if (context.parentURL?.includes('/@openid/appauth/')) {
    if (name === 'opener') return { url: ${JSON.stringify(opener)}, shortCircuit: true };
    if (name.startsWith('.')) return next(name + '.js', context);
  }
  return next(name, context);
};`;
register(`data:text/javascript,${encodeURIComponent(resolve)}`);

/** browseWith sets the function that opens a URL. */
export const browseWith = (open) => { globalThis.openerOfAppAuth = open; };

const built = '@openid/appauth/built/src';
export const AppAuth = await import('@openid/appauth');
export const { NodeBasedHandler, NodeRequestor, NodeCrypto } = {
  ...await import(`${built}/node_support/node_request_handler.js`),
  ...await import(`${built}/node_support/node_requestor.js`),
  ...await import(`${built}/node_support/crypto_utils.js`),
};
AppAuth.setFlag('IS_LOG', false);

// AppAuth for Node.js as it is published. It is written for bundlers, which add the
// ending to "./token_request" by themselves; Node.js does not. And instead of the
// browser of the desktop it opens the one a test hands to browseWith.
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

/** browseWith says what opens an address. */
export const browseWith = (open) => { globalThis.openerOfAppAuth = open; };

const built = '@openid/appauth/built/src';
export const AppAuth = await import('@openid/appauth');
export const { NodeBasedHandler, NodeRequestor, NodeCrypto } = {
  ...await import(`${built}/node_support/node_request_handler.js`),
  ...await import(`${built}/node_support/node_requestor.js`),
  ...await import(`${built}/node_support/crypto_utils.js`),
};
AppAuth.setFlag('IS_LOG', false);

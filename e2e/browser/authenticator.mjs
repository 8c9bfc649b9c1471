// Chromium's virtual authenticators.

// laptop keeps passkeys and verifies its user.
export const laptop = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };

// authenticator adds a virtual authenticator to a page.
export async function authenticator(page, options) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('WebAuthn.enable', { enableUI: false });
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', { options });
  const call = (name, more = {}) => cdp.send(`WebAuthn.${name}`, { authenticatorId, ...more });
  return {
    call,
    credentials: async () => (await call('getCredentials')).credentials,
    present: (enabled) => call('setAutomaticPresenceSimulation', { enabled }),
    verified: (isUserVerified) => call('setUserVerified', { isUserVerified }),
  };
}

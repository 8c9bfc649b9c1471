// The sign-in of a single-page application: authorization code with PKCE
// (RFC 6749, RFC 7636), nothing more than a browser has built in.
//
// Tokens live in memory only. What must survive the way to the provider and back
// (verifier, state, nonce) is in sessionStorage, under the state.

const text = new TextEncoder();

const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

const bytesOf = (encoded) =>
  Uint8Array.from(atob(encoded.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

/** A refusal of the provider, or a response that cannot be trusted. */
export class Refused extends Error {
  constructor(code, description) {
    super(description || code);
    this.code = code;
  }
}

/** Client calls one provider. log(step) receives every call it makes. */
export class Client {
  constructor(issuer, log) {
    this.issuer = issuer;
    this.log = log;
  }

  async #call(what, url, init) {
    const began = performance.now();
    const answer = await fetch(url, init);
    this.log({ what, method: init?.method ?? "GET", path: new URL(url).pathname, status: answer.status, ms: Math.round(performance.now() - began) });
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Refused(body.error ?? `status ${answer.status}`, body.error_description);
    return body;
  }

  async discover() {
    this.meta ??= await this.#call("What can the provider do?", this.issuer + "/.well-known/openid-configuration");
    if (this.meta.issuer !== this.issuer) throw new Refused("issuer", "The provider calls itself by another name.");
    return this.meta;
  }

  /** begin leaves the page for the provider. extra are further authorization
   *  parameters; mark comes back from finish together with them. */
  async begin(client, extra = {}, mark = {}) {
    const { authorization_endpoint } = await this.discover();
    const trip = { client, extra: { ...extra, ...mark }, state: random(), nonce: random(), verifier: random() };
    const challenge = base64url(await crypto.subtle.digest("SHA-256", text.encode(trip.verifier)));
    sessionStorage.setItem("trip." + trip.state, JSON.stringify(trip));
    const query = new URLSearchParams({
      response_type: "code", client_id: client, redirect_uri: location.origin + "/callback",
      scope: "openid profile email offline_access", state: trip.state, nonce: trip.nonce,
      code_challenge: challenge, code_challenge_method: "S256", ...extra,
    });
    this.log({ what: "To the provider" + (Object.keys(extra).length ? `, with ${new URLSearchParams(extra)}` : ""), method: "GET", path: "/authorize" });
    location.assign(`${authorization_endpoint}?${query}`);
  }

  /** finish reads the response from the address, redeems the code and fetches the user. */
  async finish(url) {
    const answer = url.searchParams;
    const kept = sessionStorage.getItem("trip." + answer.get("state"));
    sessionStorage.removeItem("trip." + answer.get("state"));
    if (!kept) throw new Refused("state", "This answer belongs to no sign-in that began here.");
    const trip = JSON.parse(kept);
    // RFC 9207: a response of another provider must not be redeemed here.
    if (answer.get("iss") !== this.issuer) throw new Refused("iss", "The answer comes from another provider.");
    if (answer.has("error")) {
      this.log({ what: `Back, refused: ${answer.get("error")}`, method: "GET", path: "/callback" });
      throw Object.assign(new Refused(answer.get("error"), answer.get("error_description")), { client: trip.client });
    }
    this.log({ what: "Back with a code", method: "GET", path: "/callback" });
    const { token_endpoint } = await this.discover();
    const tokens = await this.#post("Code for tokens", token_endpoint, {
      grant_type: "authorization_code", client_id: trip.client, code: answer.get("code"),
      redirect_uri: location.origin + "/callback", code_verifier: trip.verifier,
    });
    const session = await this.#session(trip.client, tokens, trip.nonce);
    session.person = await this.userinfo(session);
    return { session, extra: trip.extra };
  }

  /** refresh returns the session with new tokens. */
  async refresh(session) {
    const { token_endpoint } = await this.discover();
    const tokens = await this.#post("New tokens for the old", token_endpoint, {
      grant_type: "refresh_token", client_id: session.client, refresh_token: session.tokens.refresh_token,
    });
    const merged = { ...session.tokens, ...tokens };
    return { ...session, ...(await this.#session(session.client, merged)) };
  }

  async userinfo(session) {
    const { userinfo_endpoint } = await this.discover();
    return this.#call("Who is it?", userinfo_endpoint, { headers: { authorization: `Bearer ${session.tokens.access_token}` } });
  }

  /** leave signs out at the provider, too. */
  async leave(session) {
    const { end_session_endpoint } = await this.discover();
    const query = new URLSearchParams({
      id_token_hint: session.tokens.id_token, client_id: session.client, post_logout_redirect_uri: location.origin + "/",
    });
    this.log({ what: "Sign out", method: "GET", path: new URL(end_session_endpoint).pathname });
    location.assign(`${end_session_endpoint}?${query}`);
  }

  #post(what, url, fields) {
    return this.#call(what, url, { method: "POST", body: new URLSearchParams(fields) });
  }

  async #session(client, tokens, nonce) {
    const claims = await this.#verify(tokens.id_token);
    const audience = [].concat(claims.aud);
    if (claims.iss !== this.issuer) throw new Refused("iss", "The ID token is from another provider.");
    if (!audience.includes(client)) throw new Refused("aud", "The ID token is for another client.");
    if (nonce && claims.nonce !== nonce) throw new Refused("nonce", "The ID token belongs to another sign-in.");
    if (claims.exp * 1000 < Date.now() - 60_000) throw new Refused("exp", "The ID token has expired.");
    return { client, tokens, claims, access: read(tokens.access_token)?.payload, at: Date.now() };
  }

  // OpenID Connect Core section 3.1.3.7: the signature must be valid, by a key of the provider.
  async #verify(jwt) {
    const token = read(jwt);
    if (!token) throw new Refused("id_token", "The ID token is none.");
    const { jwks_uri } = await this.discover();
    this.keys ??= await this.#call("Keys of the provider", jwks_uri);
    const how = algorithms[token.header.alg];
    const jwk = this.keys.keys.find((k) => k.kid === token.header.kid);
    if (!how || !jwk) throw new Refused("alg", "The ID token is signed by an unknown key.");
    const key = await crypto.subtle.importKey("jwk", jwk, how, false, ["verify"]);
    const good = await crypto.subtle.verify(how, key, bytesOf(token.parts[2]), text.encode(token.parts[0] + "." + token.parts[1]));
    if (!good) throw new Refused("signature", "The ID token's signature is wrong.");
    return token.payload;
  }
}

const algorithms = {
  RS256: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
  PS256: { name: "RSA-PSS", hash: "SHA-256", saltLength: 32 },
  ES256: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  EdDSA: { name: "Ed25519" },
};

/** read parses a JWT without verifying it; null if it is not one. */
export function read(jwt) {
  const parts = (jwt ?? "").split(".");
  if (parts.length !== 3) return null;
  try {
    const [header, payload] = parts.slice(0, 2).map((p) => JSON.parse(new TextDecoder().decode(bytesOf(p))));
    return { header, payload, parts };
  } catch {
    return null;
  }
}

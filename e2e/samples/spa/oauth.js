// What every OpenID Connect client does: PKCE in the request, code for tokens after the redirect.

const base64url = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

export class OAuth {
  constructor(issuer, redirect) {
    Object.assign(this, { issuer, redirect });
  }

  /** begin returns the parameters of an authorization request and remembers, in this tab, what belongs to it. */
  async begin(client, extra = {}) {
    const trip = { client, state: random(), nonce: random(), verifier: random() };
    sessionStorage.setItem("trip." + trip.state, JSON.stringify(trip));
    const challenge = base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(trip.verifier)));
    return {
      response_type: "code", client_id: client, redirect_uri: this.redirect, scope: "openid profile email",
      state: trip.state, nonce: trip.nonce, code_challenge: challenge, code_challenge_method: "S256", ...extra,
    };
  }

  /** pending reports whether this tab began any login. */
  pending() {
    return Object.keys(sessionStorage).some((name) => name.startsWith("trip."));
  }

  /** began reports whether this tab began the login with this state, which no other site knows. */
  began(state) {
    return Boolean(state) && sessionStorage.getItem("trip." + state) !== null;
  }

  /** redeem exchanges the code of a response and returns the claims about the user. */
  async redeem({ code, state, iss }) {
    const trip = JSON.parse(sessionStorage.getItem("trip." + state));
    sessionStorage.removeItem("trip." + state);
    if (!trip) throw new Error("This answer belongs to no sign-in that began here.");
    if (iss !== this.issuer) throw new Error("The answer comes from another provider."); // RFC 9207
    const tokens = await this.#json("/token", {
      method: "POST",
      body: new URLSearchParams({ grant_type: "authorization_code", client_id: trip.client, code, redirect_uri: this.redirect, code_verifier: trip.verifier }),
    });
    // It came from the token endpoint over TLS, so only its claims need checking, not its
    // signature (OpenID Connect Core section 3.1.3.7).
    const claims = JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(tokens.id_token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0))));
    const right = claims.iss === this.issuer && [].concat(claims.aud).includes(trip.client) && claims.nonce === trip.nonce && claims.exp * 1000 > Date.now();
    if (!right) throw new Error("The ID token is not for this sign-in.");
    const person = await this.#json("/userinfo", { headers: { authorization: "Bearer " + tokens.access_token } });
    return { claims, person };
  }

  async #json(path, init) {
    const response = await fetch(this.issuer + path, { credentials: "omit", ...init });
    const body = await response.json().catch(() => ({}));
    if (!response.ok) throw new Error(body.error_description ?? body.error ?? `${path}: ${response.status}`);
    return body;
  }
}

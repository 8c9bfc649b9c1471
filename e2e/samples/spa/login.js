// The login API: one call, one step.

/** Problem is an error of the API (RFC 9457). Decide by its code. */
export class Problem extends Error {
  constructor(body, wait) {
    super(body.detail ?? body.title ?? "no answer");
    Object.assign(this, { code: body.code, exchange: body.exchange_id, support: body.support_id, wait });
  }
}

export class Login {
  constructor(issuer) {
    this.issuer = issuer;
  }

  /** begin opens a login; params are those of an authorization request. */
  begin(params) {
    return this.#post("/requests", params);
  }

  /** call makes one call in the login of a step. The login_token shows that the caller proved its first factor. */
  call(path, step, fields = {}) {
    return this.#post(path, { ...fields, request_id: step.request_id, login_token: step.login_token });
  }

  /** takeOver hands the login over to this browser, which ends it at the provider with a session there. */
  takeOver(step) {
    const form = Object.assign(document.createElement("form"), { method: "POST", action: this.issuer + "/continue" });
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name: "login_token", value: step.login_token }));
    document.body.append(form);
    form.submit();
  }

  async #post(path, body) {
    const response = await fetch(this.issuer + "/api/login/v1" + path, {
      method: "POST",
      credentials: "omit",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const found = await response.json().catch(() => ({}));
    if (!response.ok) throw new Problem(found, response.headers.get("retry-after"));
    return found;
  }
}

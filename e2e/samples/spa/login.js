// The native login API: one call, one step.

/** Problem is an answer that is not a step (RFC 9457). Decide by its code. */
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

  /** call does one thing in the login it was given a step of. */
  call(path, step, fields = {}) {
    return this.#post(path, { ...fields, request_id: step.request_id });
  }

  async #post(path, body) {
    const answer = await fetch(this.issuer + "/api/login/v1" + path, {
      method: "POST",
      credentials: "omit",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const found = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Problem(found, answer.headers.get("retry-after"));
    return found;
  }
}

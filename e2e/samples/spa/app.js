// A single-page application with its own login page. The provider returns the next step;
// this file has one screen for each.

import { Login, Problem } from "./login.js";
import { OAuth } from "./oauth.js";

const settings = await (await fetch("settings.json")).json();
const here = new URL(".", location.href).href;
const login = new Login(settings.issuer);
const oauth = new OAuth(settings.issuer, here);
const screen = document.getElementById("screen");
const message = document.getElementById("message");
let sent = false; // the login began at the provider, which sent the browser here
let stay = false; // also sign this browser in at the provider

// --- tools -----------------------------------------------------------------

/** el creates an element; text is always text, never markup. */
function el(tag, props = {}, ...children) {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children.filter(Boolean));
  return node;
}

const field = (label, props) => el("label", {}, label, el("input", { required: true, ...props }));
const button = (id, label, act) => el("button", { type: "button", id, onclick: () => run(act) }, label);

/** form shows a screen whose fields are passed to act. */
function form(id, title, act, ...children) {
  const node = el("form", { id }, el("h2", {}, title), ...children);
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    run(() => act(Object.fromEntries(new FormData(node))));
  });
  return node;
}

function put(node) {
  message.hidden = true;
  screen.replaceChildren(node);
  screen.querySelector("input:not([type=checkbox])")?.focus();
}

const words = {
  invalid_credentials: "Name or password is wrong.",
  invalid_passcode: "That code is wrong.",
  replayed: "That code was used already. Wait for the next one.",
  invalid_request: "That does not look right. Check what you typed.",
  enrollment_expired: "That took too long. Begin again.",
  invalid_exchange: "That code is no longer valid.",
  passcode_expired: "That code has expired. Send another one.",
  invalid_identifier: "Check the address.",
  address_not_allowed: "No codes are sent to this number.",
  unknown_request: "This sign-in has expired.",
  request_over: "This sign-in is over.",
  locked: "Your app is locked after too many wrong codes. Ask an administrator.",
};

/** run runs a slow action once, and shows its error. */
async function run(act) {
  for (const b of screen.querySelectorAll("button")) b.disabled = true;
  try {
    await act();
  } catch (error) {
    if (error.code === "unknown_request" || error.code === "request_over") start();
    message.hidden = false;
    message.textContent = words[error.code] ?? error.message;
    if (error.wait) message.textContent = `${error.code === "too_many_messages" ? "No new code yet" : "Too many tries"}. Wait ${error.wait} seconds.`;
    if (error.support) message.title = "Support id: " + error.support;
  } finally {
    for (const b of screen.querySelectorAll("button")) b.disabled = false;
  }
}

/** go makes a call and shows the returned step. */
async function go(path, step, fields) {
  try {
    return await show(await login.call(path, step, fields));
  } catch (error) {
    // Another tab advanced the login: show the current step.
    if (error instanceof Problem && error.code === "request_changed") return show(await login.call("/step", step));
    throw error;
  }
}

// --- screens, one per step ---------------------------------------------------

const screens = { identify, verify, enroll, recovery, consent, done, refused, over: () => start() };

async function show(step) {
  const act = screens[step.step];
  // The provider sent the browser here, or someone sent a link. The response to the first
  // factor shows whose login it is: if it is an attacker's, the user would sign the attacker in.
  if (sent && step.login_token && !oauth.began(step.state)) {
    await login.call("/cancel", step);
    start();
    throw new Error("This sign-in did not begin here.");
  }
  if (!act) throw new Error(`This application is too old for the step "${step.step}".`);
  await act(step);
}

// Before the first factor a login has no owner: there is nothing to cancel.
const cancel = (step) => (step.login_token ? go("/cancel", step) : refused({ error: "access_denied", redirect_to: here }));

const leave = (step) => el("div", { className: "row" }, button("cancel", "Cancel", () => cancel(step)),
  step.account && button("restart", `Not ${step.account}?`, () => go("/restart", step)));

function identify(step) {
  const send = ({ identifier, password, keep }) => {
    stay = sent || keep === "on";
    return go("/password", step, { identifier, password });
  };
  put(form("login-form", `Sign in to ${step.client.client_name ?? "Meridian"}`, send,
    field("Name or e-mail address", { name: "identifier", autocomplete: "username", autocapitalize: "off", value: step.login_hint ?? "" }),
    field("Password", { name: "password", type: "password", autocomplete: "current-password" }),
    !sent && el("label", { className: "tick" }, el("input", { type: "checkbox", name: "keep" }), "Sign in to my other applications, too"),
    el("button", { className: "strong", id: "login-submit" }, "Continue"),
    button("code-instead", "Code instead of password", async () => {
      const identifier = screen.querySelector("[name=identifier]").value;
      const found = await login.call("/identify", step, { identifier });
      const options = found.options.filter((o) => o.usage === "passwordless");
      if (options.length === 0) throw new Error("Here a password is needed.");
      verify({ ...found, options }, { identifier });
    }), leave(step)));
}

const kinds = { email: "Code by e-mail", sms: "Code by text message" };
const label = (o) => kinds[o.method] ?? (o.numeric ? "Code from your app" : "Recovery code");
const codeField = (text, numeric = true) => field(text, { name: "passcode", autocomplete: "one-time-code", inputMode: numeric ? "numeric" : "text" });

function verify(step, fields = {}, chosen = step.options.find((o) => o.typed), exchange = undefined) {
  if (!chosen) throw new Error("None of your factors can be used here.");
  const choice = { ...fields, method: chosen.method, usage: chosen.usage };
  const others = step.options.filter((o) => o.typed && o.method !== chosen.method)
    .map((o) => button("method-" + o.method, label(o) + " instead", () => verify(step, fields, o)));
  const sendCode = async () => {
    const sent = await login.call("/initiate", step, choice);
    verify(step, fields, chosen, sent.exchange.exchange_id);
    watch(step, sent.exchange.exchange_id);
  };
  if (chosen.sends && !exchange) {
    put(form("send-form", label(chosen), sendCode,
      el("button", { className: "strong", id: "send" }, chosen.address ? `Send a code to ${chosen.address}` : "Send a code"), ...others, leave(step)));
    return;
  }
  const send = async ({ passcode }) => {
    try {
      await go("/verify", step, { ...choice, passcode: passcode.replaceAll(" ", ""), exchange_id: exchange });
    } catch (error) {
      if (chosen.sends && (error.code === "invalid_exchange" || error.code === "passcode_expired")) verify(step, fields, chosen);
      else if (error.exchange || !chosen.sends) exchange = error.exchange;
      throw error;
    }
  };
  put(form("verify-form", label(chosen), send, chosen.sends && el("p", { id: "delivery", role: "status" }, "A code is being sent."),
    codeField(label(chosen), chosen.numeric), el("button", { className: "strong", id: "verify-submit" }, "Continue"),
    chosen.sends && button("send-again", "Send another code", sendCode), ...others, leave(step)));
}

/** watch says what became of a code, while its screen is shown. */
async function watch(step, exchange) {
  const line = document.getElementById("delivery");
  const says = { sent: "A code was sent.", failed: "The code could not be delivered. Try another way." };
  for (let pause = 1000; line.isConnected; pause = Math.min(pause * 1.5, 15000)) {
    await new Promise((go) => setTimeout(go, pause));
    const { delivery } = await login.call("/delivery", step, { exchange_id: exchange }).catch(() => ({}));
    if (delivery !== "sending") {
      line.textContent = says[delivery] ?? line.textContent;
      return;
    }
  }
}

async function enroll(step, method = step.methods[0], address = undefined) {
  const others = step.methods.filter((m) => m !== method)
    .map((m) => button("enroll-" + m, (kinds[m] ?? "Authenticator app") + " instead", () => enroll(step, m)));
  if (kinds[method] && !address) {
    put(form("address-form", kinds[method], (typed) => enroll(step, method, typed.address),
      field(method === "sms" ? "Phone number, with + and country code" : "E-mail address", { name: "address", autocomplete: method === "sms" ? "tel" : "email" }),
      el("button", { className: "strong", id: "enroll-send" }, "Send a code"), ...others, leave(step)));
    return;
  }
  const { enrollment } = await login.call("/enroll", step, { method, address });
  const send = async ({ passcode }) => {
    try {
      await go("/enroll/confirm", step, { exchange_id: enrollment.exchange_id, passcode: passcode.replaceAll(" ", "") });
    } catch (error) {
      if (error.code === "enrollment_expired") await enroll(step, method);
      throw error;
    }
  };
  put(form("enroll-form", address ? kinds[method] : "Set up your authenticator app", send,
    enrollment.qr && el("img", { src: enrollment.qr, alt: "The key as a QR code", width: 192, height: 192 }),
    enrollment.secret && el("p", {}, "Scan this, or type the key: ", el("code", { id: "enroll-secret" }, enrollment.secret)),
    address && el("p", { id: "delivery", role: "status" }, `A code is being sent to ${enrollment.address}.`),
    codeField("First code"), el("button", { className: "strong", id: "enroll-submit" }, "Continue"),
    address && button("enroll-address", "Use another address, or send it again", () => enroll(step, method)), ...others, leave(step)));
  if (address) watch(step, enrollment.exchange_id);
}

function recovery(step) {
  put(el("section", {}, el("h2", {}, "Keep these codes"),
    el("p", {}, "Each signs you in once, on the day your phone is gone."),
    el("ul", { id: "recovery-codes" }, ...step.recovery_codes.map((c) => el("li", {}, el("code", {}, c)))),
    button("recovery-done", "I have kept them", () => go("/recovery-codes/seen", step))));
}

function consent(step) {
  put(el("section", {}, el("h2", {}, "Allow this?"), el("ul", {}, ...step.scopes.map((s) => el("li", {}, s))), el("div", { className: "row" },
    button("consent-allow", "Allow", () => go("/consent", step, { allow: true })),
    button("consent-deny", "Refuse", () => go("/consent", step, { allow: false })))));
}

async function done(step) {
  if (step.code) {
    signedIn(await oauth.redeem(step));
  } else if (stay) {
    login.takeOver(step); // returns with the code
  } else {
    await go("/finish", step);
  }
}

async function refused(step) {
  if (!step.redirect_to) return go("/finish", step);
  start();
  message.hidden = false;
  message.textContent = step.error === "access_denied" ? "You did not sign in." : `Refused: ${step.error}`;
}

function signedIn({ claims, person }) {
  put(el("section", { id: "signed-in" }, el("h2", {}, `Hello, ${person.given_name ?? person.name ?? "you"}`),
    el("p", {}, `Signed in with ${(claims.amr ?? []).join(", ")} at level ${claims.acr}.`),
    el("pre", {}, JSON.stringify({ claims, person }, null, 2)), button("again", "Sign in again", () => start())));
}

function start() {
  sent = stay = false;
  const begin = (client, extra) => async () => show(await login.begin(await oauth.begin(client, extra)));
  put(el("section", { id: "start" }, el("p", {}, "Every screen you will see is this page's own. The provider only says which."),
    button("begin-one", "Sign in with a password", begin(settings.clients.one)),
    button("begin-strong", "Sign in with two factors, if I have them", begin(settings.clients.one, { acr_values: "aal2" })),
    button("begin-two", "Sign in where two factors are a must", begin(settings.clients.two)),
    button("begin-provider", "Begin at the provider", async () => {
      location.assign(`${settings.issuer}/authorize?${new URLSearchParams(await oauth.begin(settings.clients.one))}`);
    })));
}

// --- how this page was opened ---------------------------------------

const query = new URLSearchParams(location.search);
history.replaceState(null, "", here);
start();
if (query.has("requestId")) {
  await run(async () => {
    if (!oauth.pending()) throw new Error("This sign-in did not begin here.");
    const step = await login.call("/step", { request_id: query.get("requestId") });
    sent = stay = true;
    await show(step);
  });
} else if (query.has("code")) {
  await run(async () => signedIn(await oauth.redeem(Object.fromEntries(query))));
} else if (query.has("error")) {
  await run(() => refused({ error: query.get("error"), redirect_to: here }));
}

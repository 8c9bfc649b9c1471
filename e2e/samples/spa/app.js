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
  enrollment_expired: "That took too long. Here is a new code to scan.",
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
    if (error.wait) message.textContent = `Too many tries. Wait ${error.wait} seconds.`;
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

function verify(step, fields = {}, chosen = step.options.find((o) => o.typed)) {
  if (!chosen) throw new Error("None of your factors can be used here.");
  let exchange;
  const send = async ({ passcode }) => {
    try {
      await go("/verify", step, { ...fields, method: chosen.method, usage: chosen.usage, passcode: passcode.replaceAll(" ", ""), exchange_id: exchange });
    } catch (error) {
      exchange = error.exchange;
      throw error;
    }
  };
  const others = step.options.filter((o) => o.typed && o.method !== chosen.method);
  const label = (o) => (o.numeric ? "Code from your app" : "Recovery code");
  put(form("verify-form", label(chosen), send,
    field(label(chosen), { name: "passcode", autocomplete: "one-time-code", inputMode: chosen.numeric ? "numeric" : "text" }),
    el("button", { className: "strong", id: "verify-submit" }, "Continue"),
    ...others.map((o) => button("method-" + o.method, label(o) + " instead", () => verify(step, fields, o))), leave(step)));
}

async function enroll(step) {
  const { enrollment } = await login.call("/enroll", step, { method: step.methods[0] });
  const send = async ({ passcode }) => {
    try {
      await go("/enroll/confirm", step, { exchange_id: enrollment.exchange_id, passcode: passcode.replaceAll(" ", "") });
    } catch (error) {
      if (error.code === "enrollment_expired") await enroll(step);
      throw error;
    }
  };
  put(form("enroll-form", "Set up your authenticator app", send,
    enrollment.qr && el("img", { src: enrollment.qr, alt: "The key as a QR code", width: 192, height: 192 }),
    el("p", {}, "Scan this, or type the key: ", el("code", { id: "enroll-secret" }, enrollment.secret)),
    field("First code", { name: "passcode", autocomplete: "one-time-code", inputMode: "numeric" }),
    el("button", { className: "strong", id: "enroll-submit" }, "Continue"), leave(step)));
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

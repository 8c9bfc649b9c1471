// Meridian: two pretend applications that sign in at Sallyport, and show what they got.

import { Client, read } from "/oidc.js";

const main = document.getElementById("main");
const settings = await (await fetch("/config.json")).json();
const client = new Client(settings.issuer, remember);

const apps = {
  spa: { name: "Meridian Notes", about: "A password is enough to come in.", colour: "notes" },
  bank: { name: "Meridian Bank", about: "Nobody comes in without a second factor.", colour: "bank" },
};

const meanings = {
  iss: "who says so", sub: "who it is, for ever", aud: "for which client", exp: "good until", iat: "said at",
  auth_time: "when the person proved who they are", nonce: "ties the token to this sign-in", acr: "how sure the provider is",
  amr: "by what means", sid: "the session at the provider", azp: "for which client", at_hash: "ties it to the access token",
  client_id: "who asked for it", scope: "what it allows", scopes: "what it allows", jti: "its own number", nbf: "not before",
  email_verified: "the address was proven", updated_at: "when the profile changed",
};

// --- small tools -----------------------------------------------------------

/** el creates an element; text is always text, never markup. */
function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key in node) node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

const button = (label, act, className = "button") => el("button", { type: "button", className, onclick: (e) => attempt(e.currentTarget, act) }, label);

/** attempt runs an action; a second press while it runs does nothing. */
async function attempt(control, act) {
  control.disabled = true;
  try {
    await act();
  } catch (error) {
    say(error);
  } finally {
    control.disabled = false;
  }
}

function say(error) {
  document.getElementById("said")?.remove();
  const box = el("p", { id: "said", className: "card notice", role: "alert" },
    el("strong", {}, error.code ? `${error.code}: ` : "Something went wrong: "), error.message);
  main.prepend(box);
  box.scrollIntoView({ block: "nearest" });
}

/** remember keeps the calls of this tab across the redirects to the provider and back. */
function remember(step) {
  const story = stories();
  story.push({ ...step, at: new Date().toLocaleTimeString() });
  sessionStorage.setItem("story", JSON.stringify(story.slice(-14)));
  document.getElementById("story")?.replaceWith(storyCard());
}

const stories = () => JSON.parse(sessionStorage.getItem("story") ?? "[]");

function storyCard() {
  const steps = stories();
  return el("section", { id: "story", className: "card story" },
    el("h2", {}, "What happened"),
    steps.length === 0 ? el("p", { className: "faint" }, "Every call between this page and the provider is listed here.") :
      el("ol", { tabIndex: 0 }, steps.reverse().map((s) => el("li", {},
        el("span", { className: "what" }, s.what),
        el("code", {}, `${s.method} ${s.path}`),
        el("span", { className: s.status >= 400 ? "bad" : "faint" }, s.status ? `${s.status}, ${s.ms} ms` : s.at)))));
}

// --- things to try ---------------------------------------------------------

const tries = {
  password: "Sign in to Notes with a password",
  unlock: "Unlock the private note with a second factor",
  ...settings.passkeys ? { passkey: "Add a passkey, and sign in with it alone" } : {},
  hop: "Open the other application without typing anything",
  renew: "Get new tokens for old ones",
  silent: "Ask silently, without a page",
  leave: "Sign out of everything at once",
};

const tried = () => JSON.parse(sessionStorage.getItem("tried") ?? "[]");

function tick(id) {
  sessionStorage.setItem("tried", JSON.stringify([...new Set([...tried(), id])]));
  document.getElementById("tries")?.replaceWith(tryCard());
}

function tryCard() {
  const done = tried();
  const all = Object.keys(tries).length;
  return el("section", { id: "tries", className: "card" },
    el("h2", {}, done.length === all ? "You have tried everything. Well done." : "Things to try"),
    el("ul", { className: "tries" }, Object.entries(tries).map(([id, label]) =>
      el("li", { className: done.includes(id) ? "done" : "" }, el("span", { ariaHidden: "true" }, done.includes(id) ? "✓" : ""),
        label, done.includes(id) ? el("span", { className: "hidden" }, " (done)") : ""))));
}

/** noteArrival derives what the sign-in that just ended has demonstrated. */
function noteArrival(session, extra) {
  const { amr = [] } = session.claims;
  if (session.client === "spa" && amr.includes("pwd")) tick("password");
  if (session.client === "spa" && strong(session)) tick("unlock");
  if (settings.passkeys && amr.includes("pop") && !amr.includes("pwd")) tick("passkey");
  if (extra.hop) tick("hop");
  if (extra.prompt === "none") tick("silent");
}

// --- before sign-in --------------------------------------------------------

function welcome() {
  main.replaceChildren(
    el("section", { className: "hero" },
      el("h1", {}, "Sign in, and watch what happens."),
      el("p", {}, "Two pretend applications share one provider. Sign in to one, then try the other.")),
    el("div", { className: "pair" }, Object.entries(apps).map(([id, app]) =>
      el("section", { className: `card app ${app.colour}` },
        el("h2", {}, app.name),
        el("p", {}, app.about),
        button("Sign in", () => client.begin(id), "button strong")))),
    tryCard(),
    el("section", { className: "card" },
      el("h2", {}, "Who you can be"),
      el("ul", { className: "people" }, settings.people.map((p) =>
        el("li", {}, el("strong", {}, p.name), el("code", { className: "password" }, p.password), copyButton(p.password),
          el("span", { className: "faint" }, p.about)))),
      el("p", { className: "faint" }, "Codes are on the ", el("a", { href: "/phone", target: "sallyport-phone", rel: "noopener" }, "virtual phone"), ".",
        settings.passkeys ? " Whoever has signed in can add a passkey, and needs neither password nor code from then on." : "")),
    storyCard());
}

function copyButton(value) {
  const b = el("button", { type: "button", className: "button quiet small" }, "Copy");
  b.addEventListener("click", async () => {
    await navigator.clipboard.writeText(value);
    b.textContent = "Copied";
    setTimeout(() => { b.textContent = "Copy"; }, 1500);
  });
  return b;
}

// --- signed in -------------------------------------------------------------

let clock;

function home(session) {
  clearInterval(clock);
  const app = apps[session.client];
  document.title = app.name;
  main.replaceChildren(
    person(session, app),
    el("div", { className: "pair" }, session.client === "bank" ? money() : notes(session), sureness(session)),
    tokens(session),
    el("div", { className: "pair" }, tryCard(), storyCard()));
  clock = setInterval(() => count(session), 1000);
  count(session);
}

function person(session, app) {
  const { email, email_verified, name = email ?? session.claims.sub, given_name = name } = session.person;
  const other = Object.keys(apps).find((id) => id !== session.client);
  const initials = name.split(" ").map((w) => w[0]).slice(0, 2).join("").toUpperCase();
  return el("section", { className: `card person ${app.colour}` },
    el("div", { className: "avatar", ariaHidden: "true" }, initials),
    el("div", { className: "grow" },
      el("p", { className: "faint" }, app.name),
      el("h1", {}, `${greeting()}, ${given_name}.`),
      email ? el("p", {}, email, email_verified ? el("span", { className: "chip good" }, "verified") : "") : ""),
    el("div", { className: "actions" },
      settings.passkeys ? el("a", { href: `${settings.issuer}/account`, className: "button quiet" }, "Add a passkey") : "",
      button(`Open ${apps[other].name}`, () => client.begin(other, {}, { hop: true })),
      button("Sign out", () => { tick("leave"); return client.leave(session); }, "button quiet")));
}

function greeting() {
  const hour = new Date().getHours();
  return hour < 5 ? "Good night" : hour < 12 ? "Good morning" : hour < 18 ? "Good afternoon" : "Good evening";
}

const strong = (session) => ["aal2", "phr"].includes(session.claims.acr);

function notes(session) {
  const open = strong(session);
  return el("section", { className: "card notes" },
    el("h2", {}, "Your notes"),
    el("article", { className: "note" }, el("h3", {}, "Groceries"), el("p", {}, "Lemons, walnuts, saffron, far too much coffee.")),
    el("article", { className: open ? "note" : "note locked" },
      el("h3", {}, open ? "Private" : "Private, locked"),
      open ? el("p", {}, "The spare key is under the third flowerpot. Now you know, and the provider knows that it was really you.") :
        [el("p", {}, "A second factor opens this page."),
          button("Unlock", () => client.begin(session.client, { acr_values: "aal2" }), "button strong")]));
}

function money() {
  const rows = [["Ferry tickets", "-18.40"], ["Salary", "+3,120.00"], ["Book shop", "-42.90"]];
  return el("section", { className: "card" },
    el("h2", {}, "Account"),
    el("p", { className: "balance" }, "4,218.07"),
    el("table", { className: "moves" }, el("tbody", {}, rows.map(([what, sum]) =>
      el("tr", {}, el("td", {}, what), el("td", { className: sum[0] === "+" ? "sum good" : "sum" }, sum))))));
}

function sureness(session) {
  const { acr = "none", amr = [], auth_time } = session.claims;
  const level = { aal1: 1, aal2: 2, phr: 3 }[acr] ?? 0;
  return el("section", { className: "card" },
    el("h2", {}, "How sure are we?"),
    el("div", { className: "meter", role: "img", ariaLabel: `level ${acr}` },
      [1, 2, 3].map((n) => el("span", { className: n <= level ? "on" : "" }))),
    el("p", {}, el("strong", {}, acr), " ", { 1: "one factor", 2: "two factors of different kinds", 3: "two factors that no false page can steal" }[level] ?? ""),
    el("p", { className: "chips" }, amr.map((m) => el("span", { className: "chip" }, m))),
    auth_time ? el("p", { className: "faint" }, `proven at ${new Date(auth_time * 1000).toLocaleTimeString()}`) : "",
    el("div", { className: "actions" },
      strong(session) ? "" : button("Step up", () => client.begin(session.client, { acr_values: "aal2" })),
      button("Sign in again", () => client.begin(session.client, { prompt: "login" })),
      button("Ask silently", () => client.begin(session.client, { prompt: "none" }))));
}

function tokens(session) {
  const panes = {
    "ID token": () => table(session.claims, "signature verified"),
    "Access token": () => session.access ? table(session.access) : el("p", {}, "Opaque: only the provider can read it."),
    "Userinfo": () => table(session.person, "what the provider says about the person"),
    "Raw": () => [raw("ID token", session.tokens.id_token), raw("Access token", session.tokens.access_token), raw("Refresh token", session.tokens.refresh_token)],
  };
  const pane = el("div", { className: "pane" });
  const show = (label) => {
    tabs.forEach((t) => { t.ariaPressed = String(t.textContent === label); });
    pane.replaceChildren(...[panes[label]()].flat());
  };
  const tabs = Object.keys(panes).map((label) => el("button", { type: "button", className: "tab", onclick: () => show(label) }, label));
  show("ID token");
  return el("section", { className: "card" },
    el("h2", {}, "What the application got"),
    el("div", { className: "life" },
      el("progress", { id: "life", max: session.tokens.expires_in, value: session.tokens.expires_in, ariaLabel: "life of the access token" }),
      el("span", { id: "left", className: "faint" })),
    el("div", { className: "actions" },
      button("Refresh", async () => { home(await client.refresh(session)); tick("renew"); }),
      button("Ask userinfo", async () => { session.person = await client.userinfo(session); show("Userinfo"); })),
    el("div", { className: "tabs" }, tabs), pane);
}

/** count shows how long the access token is still valid. */
function count(session) {
  const left = Math.max(0, Math.round(session.tokens.expires_in - (Date.now() - session.at) / 1000));
  const bar = document.getElementById("life");
  if (!bar) return clearInterval(clock);
  bar.value = left;
  document.getElementById("left").textContent = left ? `access token good for ${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}` : "the access token has expired";
}

function table(claims, caption) {
  return el("div", { className: "scroll" }, el("table", { className: "claims" },
    caption ? el("caption", {}, caption) : "",
    el("tbody", {}, Object.entries(claims).map(([key, value]) => el("tr", {},
      el("th", { scope: "row" }, key),
      el("td", {}, el("code", {}, shown(key, value)), meanings[key] ? el("span", { className: "faint" }, meanings[key]) : ""))))));
}

function shown(key, value) {
  if (["exp", "iat", "auth_time", "nbf", "updated_at"].includes(key)) return new Date(value * 1000).toLocaleString();
  return typeof value === "string" ? value : JSON.stringify(value);
}

function raw(label, token) {
  if (!token) return "";
  const parts = read(token) ? token.split(".") : [token];
  return el("details", { open: label === "ID token" }, el("summary", {}, label),
    el("p", { className: "raw" }, parts.flatMap((p, i) => [i ? "." : "", el("span", { className: `part${i}` }, p)])));
}

// --- begin -----------------------------------------------------------------

if (location.pathname === "/callback") {
  const url = new URL(location.href);
  // The code must not stay in the history.
  history.replaceState(null, "", "/");
  try {
    const { session, extra } = await client.finish(url);
    home(session);
    noteArrival(session, extra);
  } catch (error) {
    welcome();
    say(error);
  }
} else {
  welcome();
}

// Keeps the virtual phone up to date and offers to copy codes.

const codes = document.getElementById("codes");
let changesAt = Date.now() + 1000 * Number(document.getElementById("seconds").textContent);
let drawn = "";

function el(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

function code(c) {
  const half = c.code.length / 2;
  const copy = el("button", "button quiet small", "Copy");
  copy.type = "button";
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(c.code);
    copy.textContent = "Copied";
  });
  return el("li", c.pending ? "pending" : "",
    el("div", "who", el("span", "face", c.user.slice(0, 1)), el("strong", "", c.user), el("span", "faint", c.pending ? "being set up" : c.name)),
    el("div", "row", el("output", "code", `${c.code.slice(0, half)} ${c.code.slice(half)}`), copy));
}

function passkey(p) {
  return el("li", "",
    el("div", "who", el("span", "face", p.user.slice(0, 1)), el("strong", "", p.user), el("span", "faint", p.name)),
    el("p", "faint", p.about));
}

function waiting(w, account) {
  const decide = el("a", "button small", "Decide");
  Object.assign(decide, { href: account, target: "_blank", rel: "noopener" });
  return el("li", "pending",
    el("div", "who", el("span", "face", w.user.slice(0, 1)), el("strong", "", w.user), el("span", "faint", `${w.client} asks you to sign in`)),
    ...(w.words ? [el("p", "", w.words)] : []), el("p", "", decide));
}

async function load() {
  const answer = await fetch("/phone.json");
  if (!answer.ok) return;
  const view = await answer.json();
  changesAt = Date.now() + 1000 * view.seconds;
  const now = JSON.stringify([view.codes, view.passkeys, view.waiting]);
  if (now === drawn) return; // a code that is being selected stays selected
  drawn = now;
  document.getElementById("waiting").replaceChildren(...view.waiting.map((w) => waiting(w, view.account)));
  codes.replaceChildren(...(view.codes.length ? view.codes.map(code) : [el("li", "faint", "No authenticators yet.")]));
  document.getElementById("passkeys")?.replaceChildren(...(view.passkeys.length ? view.passkeys.map(passkey) :
    [el("li", "faint", "None yet. Users add them on their account page.")]));
}

function tick() {
  const left = Math.max(0, Math.ceil((changesAt - Date.now()) / 1000));
  document.getElementById("seconds").textContent = left;
  document.getElementById("countdown").value = left;
  document.getElementById("countdown").classList.toggle("late", left <= 5);
  document.getElementById("time").textContent = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

async function refresh() {
  try {
    await load();
  } catch {
    // The server restarts now and then; the next try finds it again.
  }
}

tick();
refresh();
setInterval(tick, 250);
setInterval(refresh, 1500);

// Meridian Till: a pretend till that asks a customer to confirm a payment on their own phone (OpenID
// Connect Client-Initiated Backchannel Authentication).

const till = document.getElementById("till");
const settings = await (await fetch("/config.json")).json();
const wait = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

function el(tag, props, ...children) {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children);
  return node;
}

function show(...children) {
  till.replaceChildren(...children);
}

async function post(path, fields) {
  const answer = await fetch(path, { method: "POST", body: new URLSearchParams(fields) });
  return answer.json();
}

const start = () => show(
  el("h1", {}, "12.80 €"),
  el("p", { className: "faint" }, "Whom shall the till ask? Nobody types a password here."),
  el("p", { className: "actions" }, ...settings.people.map((p) =>
    el("button", { type: "button", className: "button strong", id: `till-${p.name}`, onclick: () => ask(p.name) }, `Ask ${p.name}`))));

const again = () => el("p", { className: "actions" }, el("button", { type: "button", className: "button strong", id: "till-again", onclick: start }, "Next customer"));

async function ask(name) {
  const words = `12.80 €, receipt ${100 + Math.floor(900 * Math.random())}`;
  const asked = await post("/till/ask", { login_hint: name, binding_message: words });
  if (asked.error) return show(el("p", { className: "bad", id: "till-error" }, asked.error_description ?? asked.error), again());
  show(
    el("h1", {}, `Waiting for ${name} …`),
    el("p", {}, "The phone shows the same words:"),
    el("p", { className: "balance", id: "till-words" }, words),
    el("p", { className: "actions" },
      el("a", { className: "button", href: "/phone", target: "sallyport-phone", rel: "noopener" }, "The phone"),
      el("a", { className: "button", href: `${settings.issuer}/account#waiting`, target: "_blank", rel: "noopener" }, "The account page")),
    el("p", { className: "faint", role: "status" }, "It asks again every few seconds."));
  let interval = asked.interval;
  for (;;) {
    await wait(interval);
    const got = await post("/till/poll", { auth_req_id: asked.auth_req_id });
    if (got.error === "slow_down") interval += 5;
    if (got.error === "slow_down" || got.error === "authorization_pending") continue;
    if (got.error) return show(el("h1", {}, "Not paid"), el("p", { id: "till-error" }, got.error), again());
    return show(el("h1", { id: "till-paid" }, "Paid. Thank you!"), again());
  }
}

start();

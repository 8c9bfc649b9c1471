// Meridian TV: a pretend device that a person signs in from elsewhere (RFC 8628).

const tv = document.getElementById("tv");
const settings = await (await fetch("/config.json")).json();
const wait = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

function el(tag, props, ...children) {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children);
  return node;
}

function show(...children) {
  tv.replaceChildren(...children);
}

const again = () => el("p", { className: "actions" }, el("button", { type: "button", className: "button strong", id: "tv-begin", onclick: begin }, "Sign in"));

async function post(path, fields) {
  const answer = await fetch(settings.issuer + path, { method: "POST", body: new URLSearchParams({ client_id: "tv", ...fields }) });
  return answer.json();
}

async function begin() {
  const asked = await post("/device_authorization", { scope: "openid profile" });
  if (asked.error) return show(el("p", { className: "bad" }, asked.error_description ?? asked.error), again());
  show(
    el("h1", {}, "Sign in on your phone or computer"),
    el("p", {}, "Open ", el("a", { href: asked.verification_uri, target: "_blank", rel: "noopener" }, asked.verification_uri), " and type this code:"),
    el("p", { className: "balance", id: "tv-code" }, asked.user_code),
    el("p", { className: "faint" }, "Or scan this:"),
    el("img", { id: "tv-qr", src: "/tv/qr?code=" + encodeURIComponent(asked.user_code), width: 220, height: 220, alt: "QR code of the address with the code" }),
    el("p", { className: "faint", role: "status" }, "Waiting for you …"));
  let interval = asked.interval;
  for (;;) {
    await wait(interval);
    const got = await post("/token", { grant_type: "urn:ietf:params:oauth:grant-type:device_code", device_code: asked.device_code });
    if (got.error === "slow_down") interval += 5;
    if (got.error === "slow_down" || got.error === "authorization_pending") continue;
    if (got.error) return show(el("h1", {}, "Nobody is signed in"), el("p", { id: "tv-error" }, got.error), again());
    const info = await (await fetch(settings.issuer + "/userinfo", { headers: { authorization: "Bearer " + got.access_token } })).json();
    return show(el("h1", { id: "tv-welcome" }, "Good evening, " + (info.given_name ?? info.email ?? info.sub)), again());
  }
}

show(el("h1", {}, "Meridian TV"), el("p", { className: "faint" }, "A screen and four buttons, but no keyboard worth typing a password on."), again());

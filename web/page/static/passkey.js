// Asks the browser for passkeys. A form with data-passkey names the call ("get" or "create") and
// holds its options; the response is sent as its field "response". Browsers without passkeys
// leave such forms hidden, and other elements say so where nothing else is on the page.
(function () {
  "use strict";
  var credentials = navigator.credentials, key = window.PublicKeyCredential;
  if (!key || !credentials || !window.fetch || !window.AbortController) { return; }

  function each(selector, f) {
    Array.prototype.forEach.call(document.querySelectorAll(selector), f);
  }

  // Binary values are base64url without padding in JSON (WebAuthn Level 3 section 5.1.8). The
  // conversions are for browsers that have no parse...FromJSON and toJSON.
  function decoded(text) {
    var raw = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(raw, function (c) { return c.charCodeAt(0); });
  }
  function encoded(buffer) {
    var raw = String.fromCharCode.apply(null, new Uint8Array(buffer));
    return btoa(raw).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }
  function listed(list) {
    return (list || []).map(function (c) { return Object.assign({}, c, { id: decoded(c.id) }); });
  }
  function parsed(call, options) {
    var native = call === "create" ? key.parseCreationOptionsFromJSON : key.parseRequestOptionsFromJSON;
    if (native) { return native.call(key, options); }
    var out = Object.assign({}, options, { challenge: decoded(options.challenge) });
    if (call === "create") {
      out.user = Object.assign({}, options.user, { id: decoded(options.user.id) });
      out.excludeCredentials = listed(options.excludeCredentials);
    } else {
      out.allowCredentials = listed(options.allowCredentials);
    }
    return out;
  }
  function written(credential) {
    try { return JSON.stringify(credential.toJSON()); } catch (e) { /* some password managers replace it with one that fails */ }
    var from = credential.response, to = {};
    ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"].forEach(function (name) {
      if (from[name]) { to[name] = encoded(from[name]); }
    });
    if (from.getTransports) { to.transports = from.getTransports(); }
    return JSON.stringify({
      id: credential.id, rawId: encoded(credential.rawId), type: credential.type, response: to,
      authenticatorAttachment: credential.authenticatorAttachment || undefined,
      clientExtensionResults: credential.getClientExtensionResults()
    });
  }

  // A browser answers one call at a time: the next one begins when the last has ended.
  var pending = Promise.resolve(), controller;
  function call(form, mediation) {
    if (controller) { controller.abort(); }
    var own = controller = new AbortController(), name = form.getAttribute("data-passkey");
    var answer = pending.then(function () {
      var options = { publicKey: parsed(name, JSON.parse(form.getAttribute("data-options"))), signal: own.signal };
      if (mediation) { options.mediation = mediation; }
      return credentials[name](options);
    });
    pending = answer.then(function () {}, function () {});
    return answer;
  }

  // Browsers do not say whether the user cancelled or had no passkey. What took as long as the
  // options allow was a timeout.
  function reason(form, error, began) {
    var allowed = JSON.parse(form.getAttribute("data-options")).timeout;
    switch (error.name) {
      case "InvalidStateError": return "exists";
      case "NotAllowedError": return allowed && Date.now() - began >= allowed - 1000 ? "late" : "cancelled";
    }
    return "failed";
  }
  function say(form, what) {
    var line = form.querySelector("[data-said]"), text = what ? form.getAttribute("data-" + what) : "";
    line.textContent = text;
    line.hidden = !text;
  }
  function send(form, credential) {
    form.elements.response.value = written(credential);
    if (form.requestSubmit) { form.requestSubmit(); } else { form.submit(); }
  }

  // ask is a call that the user began with the button.
  function ask(form, button) {
    var began = Date.now();
    say(form, "");
    button.disabled = true;
    call(form).then(function (credential) { send(form, credential); }, function (error) {
      if (error.name !== "AbortError") { say(form, reason(form, error, began)); }
      wait(form);
    }).then(function () { button.disabled = false; });
  }

  // wait is a call whose passkeys the browser offers where a name is typed; not after one was
  // refused, which a browser might choose again by itself.
  function wait(form) {
    if (!form.hasAttribute("data-fresh") || form.getAttribute("data-begin") === "asked" || !key.isConditionalMediationAvailable) { return; }
    key.isConditionalMediationAvailable().then(function (available) {
      if (available) {
        return call(form, "conditional").then(function (credential) { send(form, credential); });
      }
    }).catch(function () { /* aborted, or refused without the user having asked for anything */ });
  }

  // Options are replaced before their challenge expires, also when the page was asleep or comes
  // out of the browser's cache.
  function keepFresh(form) {
    var timer;
    function later(seconds) {
      clearTimeout(timer);
      form.expires = Date.now() + 1000 * seconds;
      timer = setTimeout(renew, 1000 * seconds);
    }
    function renew() {
      later(20); // unless an answer comes
      fetch(form.getAttribute("data-fresh"), { redirect: "error" }).then(function (response) { return response.status === 200 ? response.json() : null; }).then(function (answer) {
        if (!answer) { clearTimeout(timer); return; } // the login is over: its page says so when it is sent
        form.setAttribute("data-options", JSON.stringify(answer.options));
        later(answer.renew);
        if (!form.querySelector("[data-ask]").disabled) { wait(form); }
      }, function () {});
    }
    later(Number(form.getAttribute("data-renew")));
    document.addEventListener("visibilitychange", function () {
      if (!document.hidden && Date.now() >= form.expires) { renew(); }
    });
    window.addEventListener("pageshow", function (event) { if (event.persisted) { renew(); } });
    wait(form);
  }

  // unasked does something where the browser can create a passkey without asking, because it has
  // just filled in the password. It is not told when that fails: the page has a button.
  function unasked(f) {
    if (!key.getClientCapabilities) { return; }
    key.getClientCapabilities().then(function (can) { return can.conditionalCreate && f(); }).catch(function () {});
  }

  each("form[data-passkey]", function (form) {
    var button = form.querySelector("[data-ask]");
    form.hidden = false;
    button.addEventListener("click", function () { ask(form, button); });
    if (form.hasAttribute("data-fresh")) { keepFresh(form); }
    switch (form.getAttribute("data-begin")) {
      case "now":
        ask(form, button);
        break;
      case "unasked":
        unasked(function () {
          return call(form, "conditional").then(function (credential) { send(form, credential); });
        });
    }
  });
  each("[data-no-passkeys]", function (line) { line.hidden = true; });
  each("form[data-unasked]", function (form) {
    form.hidden = false;
    unasked(function () {
      form.elements.unasked.value = "yes";
      form.requestSubmit();
    });
  });

  // A password form says whether this browser could keep a passkey instead.
  each("input[data-passkeys]", function (field) {
    if (key.isUserVerifyingPlatformAuthenticatorAvailable) {
      key.isUserVerifyingPlatformAuthenticatorAvailable().then(function (can) { if (can) { field.value = "yes"; } }, function () {});
    }
  });

  // Tells the browser's passkey manager what the server knows (section 5.1.10).
  each("[data-signal]", function (line) {
    var signals = JSON.parse(line.getAttribute("data-signal"));
    Object.keys(signals).forEach(function (name) {
      if (key[name]) { key[name](signals[name]).catch(function () {}); }
    });
  });
})();

// For convenience only: every page works without this file.
(function () {
  "use strict";

  function each(selector, f) {
    Array.prototype.forEach.call(document.querySelectorAll(selector), f);
  }

  // A form is sent only once. It can be sent again when the page is shown again (back
  // button), and after a while, in case the response did not replace the page.
  function free(form) {
    form.removeAttribute("data-sent");
    form.removeAttribute("aria-busy");
  }
  document.addEventListener("submit", function (event) {
    var form = event.target;
    if (form.hasAttribute("data-sent")) {
      event.preventDefault();
      return;
    }
    form.setAttribute("data-sent", "");
    form.setAttribute("aria-busy", "true");
    setTimeout(function () { free(form); }, 10000);
  });
  window.addEventListener("pageshow", function () { each("form[data-sent]", free); });

  // Shows the password while it is typed, and says when Caps Lock is on.
  each(".reveal", function (part) {
    var field = part.querySelector("input"), button = part.querySelector("[data-show]"), caps = part.querySelector("[data-caps]");
    button.hidden = false;
    button.addEventListener("click", function () {
      var hidden = field.type === "password";
      field.type = hidden ? "text" : "password";
      button.textContent = button.getAttribute(hidden ? "data-hide" : "data-show");
      field.focus();
    });
    if (field.form) {
      field.form.addEventListener("submit", function () { field.type = "password"; });
    }
    function look(event) {
      var on = event.type !== "blur" && event.getModifierState && event.getModifierState("CapsLock");
      var text = on ? caps.getAttribute("data-caps") : "";
      if (caps.textContent !== text) { caps.textContent = text; }
    }
    ["keydown", "keyup", "mousedown", "blur"].forEach(function (type) { field.addEventListener(type, look); });
  });

  // Who can see what they type need not type it twice.
  each("[data-repeat]", function (part) {
    var field = part.querySelector("input");
    if (!field.hasAttribute("aria-invalid")) { part.hidden = field.disabled = true; }
  });

  // Says how long a new password is, as the server counts. It knows the other rules only when the form is sent.
  // A screen reader hears when the length is reached, not every number.
  each("[data-measure]", function (line) {
    var field = line.parentNode.querySelector("input"), least = Number(line.getAttribute("data-measure")), heard = document.createElement("p");
    heard.className = "aside";
    heard.setAttribute("role", "status");
    line.setAttribute("aria-hidden", "true");
    line.insertAdjacentElement("afterend", heard);
    function look() {
      var text = field.value.normalize ? field.value.normalize("NFKC") : field.value;
      var length = text.replace(/[\uD800-\uDBFF][\uDC00-\uDFFF]/g, "_").length, enough = length >= least;
      line.hidden = length === 0;
      line.textContent = enough ? line.getAttribute("data-enough") : line.getAttribute("data-short").replace("#", length);
      line.classList.toggle("enough", enough);
      var said = enough ? line.textContent : "";
      if (heard.textContent !== said) { heard.textContent = said; }
    }
    field.addEventListener("input", look);
    look();
  });

  // Submits a code as soon as all digits are typed, pasted or filled in: once, and never
  // while the user corrects one.
  each("[data-complete]", function (field) {
    var length = Number(field.getAttribute("data-complete")), before = field.value.replace(/\s/g, ""), done = false;
    var button = field.form.querySelector(".main"), hint = document.createElement("p");
    hint.className = "hint";
    hint.id = "complete";
    hint.textContent = field.getAttribute("data-hint");
    field.insertAdjacentElement("afterend", hint);
    field.setAttribute("aria-describedby", ((field.getAttribute("aria-describedby") || "") + " complete").trim());
    field.addEventListener("input", function () {
      var now = field.value.replace(/\s/g, ""), typed = before.length < length && now.indexOf(before) === 0;
      before = now;
      if (!done && typed && now.length === length && /^[0-9]+$/.test(now)) {
        done = true;
        button.click();
      }
    });
  });

  // Copies a text, one line for each item of a list.
  function textOf(node) {
    if (node.hasAttribute("data-value")) { return node.getAttribute("data-value"); }
    var items = node.querySelectorAll("li");
    return Array.prototype.map.call(items, function (i) { return i.textContent.trim(); }).join("\n");
  }
  function copyOld(text) {
    var area = document.createElement("textarea");
    area.value = text;
    document.body.appendChild(area);
    area.select();
    var done = document.execCommand("copy");
    document.body.removeChild(area);
    return done;
  }
  each("[data-copy]", function (button) {
    var node = document.getElementById(button.getAttribute("data-copy"));
    button.hidden = false;
    button.setAttribute("aria-live", "polite");
    button.addEventListener("click", function () {
      function done() { button.textContent = button.getAttribute("data-done"); }
      if (navigator.clipboard && window.isSecureContext) {
        navigator.clipboard.writeText(textOf(node)).then(done, function () { if (copyOld(textOf(node))) { done(); } });
      } else if (copyOld(textOf(node))) {
        done();
      }
      button.focus();
    });
  });

  // Times are written in UTC and converted to the browser's time zone here.
  each("time[datetime]", function (time) {
    var at = new Date(time.getAttribute("datetime"));
    if (window.Intl && !isNaN(at)) {
      time.title = time.textContent;
      time.textContent = at.toLocaleString(document.documentElement.lang.replace(/^en$/, "en-GB"), { dateStyle: "medium", timeStyle: "short" });
    }
  });

  // Says whether a code was sent, as soon as the server knows.
  each("[data-delivery]", function (line) {
    var form = document.getElementById(line.getAttribute("data-form"));
    if (!form || !window.fetch || !window.URLSearchParams) { return; }
    var body = new URLSearchParams();
    ["csrf", "exchange"].forEach(function (name) { body.set(name, form.elements[name].value); });
    var pause = 500, until = Date.now() + 300000;
    function later() {
      if (Date.now() < until) { setTimeout(ask, pause = Math.min(pause * 1.5, 15000)); }
    }
    function ask() {
      fetch(line.getAttribute("data-delivery"), { method: "POST", body: body, redirect: "error" }).then(function (response) {
        return response.ok ? response.json() : {};
      }).then(function (answer) {
        var text = line.getAttribute("data-" + answer.delivery);
        if (text) {
          line.textContent = text;
          line.classList.toggle("failed", answer.delivery === "failed");
        } else if (answer.delivery) {
          later();
        }
      }, later);
    }
    later();
  });

  // Waits run by the browser's clock. The server refuses what comes earlier.
  var still = window.matchMedia && window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  function wait(seconds, shown, over) {
    var end = Date.now() + 1000 * seconds;
    (function tick() {
      var left = Math.ceil((end - Date.now()) / 1000);
      if (left <= 0) { over(); return; }
      shown(left);
      // A second, or ten for users who want less to move; never beyond the end.
      setTimeout(tick, Math.min(still ? 10000 : 1000, end - Date.now()));
    })();
  }
  function clock(seconds) {
    var two = function (n) { return ("0" + n).slice(-2); };
    var minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60);
    return (hours ? hours + ":" + two(minutes % 60) : minutes) + ":" + two(seconds % 60);
  }

  // A button counts down to when it can be pressed. The text beside it changes once, when the
  // wait is over, so that a screen reader says so once.
  each("[data-pause]", function (button) {
    var text = button.textContent, focused = document.activeElement === button;
    wait(button.getAttribute("data-pause"), function (left) {
      button.disabled = true;
      button.textContent = button.getAttribute("data-later").replace("#", clock(left));
    }, function () {
      button.disabled = false;
      button.textContent = text;
      if (focused && document.activeElement === document.body) { button.focus(); }
    });
  });
  each("[data-wait]", function (line) {
    wait(line.getAttribute("data-wait"), function () {}, function () { line.textContent = line.getAttribute("data-over"); });
  });

  // A picture that does not load leaves no hole. It may have failed before this script ran.
  each("img[data-optional]", function (image) {
    function hide() { image.hidden = true; }
    image.addEventListener("error", hide);
    if (image.complete && !image.naturalWidth) { hide(); }
  });

  each("[data-print]", function (button) {
    button.hidden = false;
    button.addEventListener("click", function () { window.print(); });
  });
})();

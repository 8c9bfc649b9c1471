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

  // Shows the password while it is typed.
  each("[data-reveal]", function (button) {
    var field = document.getElementById(button.getAttribute("data-reveal"));
    var on = button.textContent, off = button.getAttribute("data-off");
    button.hidden = false;
    button.addEventListener("click", function () {
      var hidden = field.type === "password";
      field.type = hidden ? "text" : "password";
      button.textContent = hidden ? off : on;
      field.focus();
    });
    if (field.form) {
      field.form.addEventListener("submit", function () { field.type = "password"; });
    }
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
      time.textContent = at.toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
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

  // Counts down to when another code can be sent. The server refuses an earlier one.
  each("[data-pause]", function (button) {
    var text = button.textContent, end = Date.now() + 1000 * button.getAttribute("data-pause");
    function tick() {
      var left = Math.ceil((end - Date.now()) / 1000);
      button.disabled = left > 0;
      button.textContent = left > 0 ? button.getAttribute("data-later").replace("#", Math.floor(left / 60) + ":" + ("0" + left % 60).slice(-2)) : text;
      if (left > 0) { setTimeout(tick, 500); }
    }
    tick();
  });

  each("[data-print]", function (button) {
    button.hidden = false;
    button.addEventListener("click", function () { window.print(); });
  });
})();

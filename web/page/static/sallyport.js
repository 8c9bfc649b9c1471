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

  each("[data-print]", function (button) {
    button.hidden = false;
    button.addEventListener("click", function () { window.print(); });
  });
})();

// Goes on once the pages of all applications have loaded (OpenID Connect Front-Channel Logout 1.0
// section 3), or after a while: one of them may never load.
(function () {
  var gone = false;
  function onward() {
    if (gone) return;
    gone = true;
    location.replace(document.getElementById("onward").href);
  }
  addEventListener("load", onward);
  setTimeout(onward, 5000);
})();

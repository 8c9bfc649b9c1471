// Sends the answer on to the application (OAuth 2.0 Form Post Response Mode).
// A file of its own, so that the pages need no inline script.
document.getElementById("form-post").submit();

// Posts the response to the application (OAuth 2.0 Form Post Response Mode).
// In a file of its own because the pages allow no inline script.
document.getElementById("form-post").submit();

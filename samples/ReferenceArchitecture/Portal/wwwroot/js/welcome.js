const given = new URLSearchParams(location.search);
document.getElementById("failed").hidden = !given.has("failed");
if (given.has("returnUrl")) {
  document.getElementById("login").href = "/login?returnUrl=" + encodeURIComponent(given.get("returnUrl"));
}

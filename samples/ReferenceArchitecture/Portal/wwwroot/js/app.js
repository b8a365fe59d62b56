import { api, openSession } from "./api.js";
import { announce, h, svg, toast } from "./dom.js";
import { word } from "./format.js";
import { connection, listen, tell, watch } from "./live.js";
import { overview } from "./views/overview.js";
import { devices } from "./views/devices.js";
import { device } from "./views/device.js";
import { alerts } from "./views/alerts.js";
import { queries } from "./views/queries.js";
import { profile } from "./views/profile.js";

const pages = [
  ["/", "Overview", overview, "M3 12h4l3-8 4 16 3-8h4"],
  ["/devices", "Devices", devices, "M4 5h16v10H4zM9 19h6M12 15v4"],
  ["/alerts", "Alerts", alerts, "M12 4a6 6 0 0 0-6 6v4l-2 3h16l-2-3v-4a6 6 0 0 0-6-6zM10 20h4"],
  ["/queries", "Queries", queries, "M4 6h6v5H4zM14 13h6v5h-6zM10 8.5h4v7"],
  ["/profile", "You", profile, "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 20c1-4 4-6 8-6s7 2 8 6"],
];
const main = document.getElementById("main");
const counts = new Map();
let leaving = new AbortController(), open = new Map();

function drawNavigation() {
  document.getElementById("nav").append(...pages.map(([path, title, , icon]) => {
    const count = h("span", { class: "count", hidden: true });
    counts.set(path, count);
    return h("li", {}, h("a", { href: path, "data-link": true },
      svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: icon })), h("span", {}, title), count));
  }));
}

async function show(isFirst = false) {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving, path = location.pathname;
  const id = /^\/devices\/([^/]+)$/.exec(path)?.[1];
  const [at, title, view] = id ? ["/devices", decodeURIComponent(id), device] : pages.find(p => p[0] === path) ?? pages[0];
  document.title = `${title} – IoT portal`;
  for (const a of document.querySelectorAll("#nav a")) {
    if (a.getAttribute("href") === at) a.setAttribute("aria-current", "page"); else a.removeAttribute("aria-current");
  }
  main.replaceChildren(h("p", { class: "loading" }, "Loading…"));
  try {
    const content = await view({ signal, id: id && decodeURIComponent(id), go });
    if (signal.aborted) return;
    main.replaceChildren(...content);
  } catch (e) {
    if (signal.aborted) return;
    main.replaceChildren(h("div", { class: "head" }, h("h1", {}, title)), h("p", { class: "notice bad", role: "alert" }, e.message),
      h("button", { type: "button", onclick: () => show() }, "Try again"));
  }
  main.dataset.ready = path;
  if (!isFirst) {
    // A screen reader begins at the new page, not at the link that led here.
    main.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

export function go(path) {
  history.pushState(null, "", path);
  show();
}

document.addEventListener("click", e => {
  const link = e.target.closest("a[data-link]");
  if (!link || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
  e.preventDefault();
  go(link.getAttribute("href"));
});
addEventListener("popstate", () => show());
addEventListener("unhandledrejection", e => toast(e.reason?.message ?? "Something went wrong.", true));

function countAlerts() {
  const badge = counts.get("/alerts");
  badge.hidden = open.size === 0;
  badge.replaceChildren(String(Math.min(open.size, 99)) + (open.size > 99 ? "+" : ""), h("span", { class: "hidden" }, " open"));
}

const isOpen = alert => ["raised", "escalated"].includes(word(alert.state));

async function followAlerts() {
  const never = new AbortController().signal;
  listen((kind, alert) => {
    if (kind !== "alert") return;
    const isNew = !open.has(alert.id) && isOpen(alert);
    if (isOpen(alert)) open.set(alert.id, alert); else open.delete(alert.id);
    countAlerts();
    if (isNew) announce(`${alert.severity} alert, ${alert.device}: ${alert.text}`, word(alert.severity) === "critical");
  }, never);
  try {
    open = new Map((await api.get("/alerts", { limit: 200 })).filter(isOpen).map(a => [a.id, a]));
    countAlerts();
  } catch { /* the page itself says so */ }
  // The stream tells of the devices on the page at once; of others, and of what a broken line lost, this does.
  const known = new Map();
  setInterval(async () => {
    if (document.hidden) return;
    for (const alert of await api.get("/alerts", { limit: 200 }).catch(() => [])) {
      const state = `${alert.state} ${alert.changed}`, before = known.get(alert.id);
      if (known.size > 1000) known.clear();
      known.set(alert.id, state);
      if (before !== state && (before || isOpen(alert) !== open.has(alert.id))) tell("alert", alert);
    }
  }, 10_000);
}

function prepareTheme() {
  const button = document.getElementById("theme");
  const name = () => { button.textContent = document.documentElement.dataset.theme === "dark" ? "Light" : "Dark"; button.setAttribute("aria-label", `Use ${button.textContent.toLowerCase()} colours`); };
  button.addEventListener("click", () => window.switchTheme());
  addEventListener("themechange", name);
  name();
}

function prepareConnection() {
  const element = document.getElementById("connection");
  connection.addEventListener("change", e => {
    element.className = "connection " + e.detail;
    element.textContent = e.detail === "on" ? "Live" : "Reconnecting";
  });
}

drawNavigation();
prepareTheme();
prepareConnection();
try {
  await openSession();
  await show(true);
  // Pages without a chart show alerts as they come; one device's readings keep the line alive at little cost.
  if (!location.pathname.startsWith("/devices/") && location.pathname !== "/") watch((await api.get("/devices", { limit: 1 }).catch(() => [])).map(d => d.id));
  followAlerts();
} catch (e) {
  if (e.status === 401) location.assign("/welcome");
  else main.replaceChildren(h("p", { class: "notice bad", role: "alert" }, e.message));
}


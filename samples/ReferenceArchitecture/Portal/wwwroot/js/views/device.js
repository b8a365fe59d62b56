import { api } from "../api.js";
import { badge, card, h, table } from "../dom.js";
import { format, since, time, words } from "../format.js";
import { listen, watch } from "../live.js";
import { alertRow } from "./alert-row.js";
import { commandsCard } from "./device-commands.js";
import { historyCard, liveCard } from "./device-charts.js";
import { sharesCard } from "./device-shares.js";
import { life, presence } from "./devices.js";

function aboutCard(d) {
  const rows = [
    ["Type", words(d.type)], ["Owner", d.owner ?? "nobody yet"], ["Group", d.group], ["Behind gateway", d.gateway], ["Software", d.software],
    ["Last seen", d.lastSeen && `${since(d.lastSeen)} (${time(d.lastSeen)})`], ["Known since", time(d.created)],
    ["Place", d.latitude !== undefined && d.longitude !== undefined ? `${format(d.latitude)}, ${format(d.longitude)}` : null],
    ...Object.entries(d.attributes ?? {}).map(([n, v]) => [words(n), v]),
  ];
  return card("About", { classes: "third" }, h("dl", { class: "pairs" }, rows.filter(([, v]) => v).flatMap(([n, v]) => [h("dt", {}, n), h("dd", {}, v)])));
}

const show = value => value === undefined ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value);

function twinCard(twin, desire) {
  const desired = twin.desired?.values ?? {}, reported = twin.reported?.values ?? {}, differs = new Set(twin.differs ?? []);
  const names = [...new Set([...Object.keys(desired), ...Object.keys(reported)])].sort();
  const columns = [
    { label: "Name", class: "title", cell: n => words(n) },
    { label: "Desired", class: "mono", cell: n => show(desired[n]) },
    { label: "Reported", class: "mono", cell: n => show(reported[n]) },
    { label: "Comparison", cell: n => differs.has(n) ? badge("warn", "Differs") : n in desired ? badge("good", "As desired") : "–" },
  ];
  return card("State", { classes: "half", end: h("button", { type: "button", class: "compact", onclick: desire }, "Change") },
    table("Desired and reported state", columns, names, "Nothing is desired or reported yet."));
}

function alertsCard(id, list, signal) {
  const alerts = new Map(list.map(a => [a.id, a])), place = h("ul", { class: "list" });
  const draw = () => {
    const newest = [...alerts.values()].sort((a, b) => Date.parse(b.raised) - Date.parse(a.raised)).slice(0, 5);
    place.replaceChildren(...newest.length ? newest.map(a => alertRow(a, changed => { alerts.set(changed.id, changed); draw(); })) : [h("li", { class: "muted" }, "No alerts.")]);
  };
  listen((kind, a) => { if (kind === "alert" && a.device === id) { alerts.set(a.id, a); draw(); } }, signal);
  draw();
  return card("Alerts", { classes: "third" }, place);
}

export async function device({ signal, id, go }) {
  const path = "/devices/" + encodeURIComponent(id);
  const [found, twin, commands, alerts, shares] = await Promise.all([
    api.get(path), api.get(path + "/state").catch(() => ({})), api.get(path + "/commands", { limit: 20 }).catch(() => []), api.get("/alerts", { device: id, limit: 20 }).catch(() => []),
    api.get("/shares", { device: id }).catch(() => []),
  ]);
  watch([id]);
  const state = h("div", { class: "half" }), badges = h("div", { class: "checks" });
  const control = commandsCard(path, found, commands, signal, { refresh, go });

  function drawState(next) {
    state.replaceChildren(twinCard(next, () => control.desire(next.desired?.values ?? {})));
  }
  async function refresh() {
    const [d, t] = await Promise.all([api.get(path), api.get(path + "/state").catch(() => ({}))]);
    if (signal.aborted) return;
    badges.replaceChildren(presence(d), life(d));
    control.device(d);
    drawState(t);
  }
  badges.replaceChildren(presence(found), life(found));
  drawState(twin);
  const again = setInterval(() => document.hidden || refresh().catch(() => {}), 5000);
  signal.addEventListener("abort", () => clearInterval(again));
  return [
    h("div", { class: "head" }, h("p", { class: "crumb" }, h("a", { href: "/devices", "data-link": true }, "Devices"), " / "), h("h1", {}, id), badges, control.actions),
    h("div", { class: "grid" }, liveCard(id, signal), aboutCard(found), historyCard(id, signal), alertsCard(id, alerts.filter(a => a.device === id), signal),
      control.root, state, sharesCard(id, found, shares)),
  ];
}

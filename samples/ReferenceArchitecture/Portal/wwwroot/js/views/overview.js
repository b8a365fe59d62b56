import { api } from "../api.js";
import { chart, Lines } from "../chart.js";
import { card, field, h, segments } from "../dom.js";
import { compact, word, words } from "../format.js";
import { listen, watch } from "../live.js";
import { alertRow } from "./alert-row.js";

const Most = 5;
const key = "overview.devices";

function tile(label) {
  const value = h("span", { class: "value" }, "–"), note = h("span", { class: "muted small" });
  return { root: h("div", { class: "tile" }, h("dt", {}, label), h("dd", {}, value, h("div", {}, note))), value, note };
}

function tiles(devices, hasMore, alerts, queries, signal) {
  const all = tile("Devices online"), open = tile("Open alerts"), rate = tile("Readings per second"), running = tile("Queries running");
  all.value.textContent = compact(devices.filter(d => d.online).length) + (hasMore ? "+" : "");
  all.note.textContent = `of ${compact(devices.length)}${hasMore ? "+" : ""}`;
  const showAlerts = () => {
    const now = [...alerts.values()].filter(a => ["raised", "escalated"].includes(word(a.state)));
    const critical = now.filter(a => word(a.severity) === "critical").length;
    open.value.textContent = compact(now.length);
    open.value.className = critical ? "value bad" : "value";
    open.note.textContent = critical ? `${critical} critical` : "none critical";
  };
  showAlerts();
  // Who may not see queries has no tile for them.
  running.root.hidden = !queries;
  queries ??= [];
  const failed = queries.filter(q => q.error).length;
  running.value.textContent = compact(queries.length - failed);
  running.note.textContent = failed ? `${failed} failed` : "none failed";
  let before = null;
  listen((kind, data) => {
    if (kind === "alert") showAlerts();
    if (kind !== "counters") return;
    const name = ["readings", "messages", "events"].find(n => n in data);
    const now = performance.now();
    if (before && name && now > before.at) rate.value.textContent = compact(Math.max(0, Math.round((data[name] - before.count) / (now - before.at) * 1000)));
    if (name) {
      before = { at: now, count: data[name] };
      rate.note.textContent = `${compact(data[name])} in all`;
    }
    if (typeof data.online === "number") all.value.textContent = compact(data.online);
    if (typeof data.devices === "number") all.note.textContent = `of ${compact(data.devices)}`;
  }, signal);
  return h("dl", { class: "tiles" }, [all, open, rate, running].map(t => t.root));
}

function liveCard(devices, signal) {
  const known = new Set(devices.map(d => d.id));
  let chosen = (JSON.parse(localStorage.getItem(key) ?? "null") ?? devices.filter(d => d.online && d.type !== "gateway").slice(0, 3).map(d => d.id)).filter(id => known.has(id)).slice(0, Most);
  let name = null, current = null, inner = null, picker = null;
  const seen = new Set(), names = h("div", {}), place = h("div", {});

  function rebuild() {
    inner?.abort();
    inner = new AbortController();
    const lines = new Lines(chosen.length), index = new Map(chosen.map((id, i) => [id, i]));
    current = { lines, index, chart: chart(`Live ${name ?? "readings"} of ${chosen.join(", ") || "no device"}`, chosen, inner.signal, { height: innerWidth > 1000 ? 420 : 260 }) };
    place.replaceChildren(chosen.length ? current.chart.root : h("p", { class: "empty" }, "Choose devices to see their readings."));
    watch(chosen);
    const from = new Date(Date.now() - 600_000).toISOString(), mine = current;
    for (const id of chosen) {
      api.get("/readings/" + encodeURIComponent(id), { from, step: "raw", name, limit: 600 }).then(past => {
        for (const r of past) { meet(r.name); if (r.name === name) mine.lines.add(index.get(id), Date.parse(r.time) / 1000, r.value); }
        mine.chart.set(mine.lines.data);
      }, () => { /* the live ones come all the same */ });
    }
  }

  function meet(reading) {
    if (seen.has(reading)) return;
    seen.add(reading);
    name ??= reading;
    names.replaceChildren(seen.size > 1 ? segments("Reading", [...seen].sort().map(n => [n, words(n)]), name, n => { name = n; rebuild(); }) : h("span", { class: "muted small" }, words(name)));
  }

  listen((kind, r) => {
    if (kind !== "reading" || !current.index.has(r.device)) return;
    meet(r.name);
    if (r.name !== name) return;
    current.lines.add(current.index.get(r.device), Date.parse(r.time) / 1000, r.value);
    current.chart.set(current.lines.data);
  }, signal);
  signal.addEventListener("abort", () => inner?.abort());

  const chips = h("div", { class: "checks" });
  function showChips() {
    chips.replaceChildren(...chosen.map(id => h("button", {
      type: "button", class: "compact", "aria-label": `Take ${id} out of the chart`, onclick: () => change(chosen.filter(c => c !== id)),
    }, id + " ×")));
    picker.disabled = chosen.length >= Most;
  }
  function change(next) {
    chosen = next;
    localStorage.setItem(key, JSON.stringify(chosen));
    showChips();
    rebuild();
  }
  picker = h("select", {
    onchange: () => { if (picker.value) change([...new Set([...chosen, picker.value])]); picker.value = ""; },
  }, h("option", { value: "" }, "Add a device…"), devices.map(d => h("option", { value: d.id }, d.id)));
  const pick = field("Devices in the chart", picker);
  showChips();
  rebuild();
  return card("Live readings", { end: names, classes: "two-thirds" }, place, h("div", { class: "filters" }, pick, chips));
}

function alertsCard(alerts, signal) {
  const list = h("ul", { class: "list" });
  const show = () => {
    const newest = [...alerts.values()].sort((a, b) => Date.parse(b.raised) - Date.parse(a.raised)).slice(0, 5);
    list.replaceChildren(...newest.map(a => alertRow(a, changed => { alerts.set(changed.id, changed); show(); })));
    if (newest.length === 0) list.replaceChildren(h("li", { class: "muted" }, "All is quiet."));
  };
  show();
  listen(kind => kind === "alert" && show(), signal);
  return card("Newest alerts", { end: h("a", { href: "/alerts", "data-link": true }, "All alerts"), classes: "third" }, list);
}

export async function overview({ signal }) {
  const [devices, list, queries] = await Promise.all([api.get("/devices", { limit: 500 }), api.get("/alerts", { limit: 100 }), api.get("/queries").catch(() => null)]);
  const alerts = new Map(list.map(a => [a.id, a]));
  listen((kind, alert) => {
    if (kind !== "alert") return;
    alerts.set(alert.id, alert);
    if (alerts.size > 500) alerts.delete(alerts.keys().next().value);
  }, signal);
  return [
    h("div", { class: "head" }, h("h1", {}, "Overview")),
    tiles(devices, devices.length === 500, alerts, queries, signal),
    h("div", { class: "grid" }, liveCard(devices, signal), alertsCard(alerts, signal)),
  ];
}

import { api } from "../api.js";
import { chart, Lines } from "../chart.js";
import { card, h, segments } from "../dom.js";
import { words } from "../format.js";
import { listen } from "../live.js";

/** The names of readings that a device has turn up with them. */
function chooser(chosen, choose) {
  const names = new Set(), place = h("span", {});
  let name = null;
  return {
    place,
    get name() { return name; },
    meet(reading) {
      if (names.has(reading)) return;
      names.add(reading);
      name ??= reading;
      place.replaceChildren(names.size > 1 ? segments("Reading", [...names].sort().map(n => [n, words(n)]), name, n => { name = n; choose(); }) : h("span", { class: "muted small" }, words(name)));
    },
  };
}

export function liveCard(id, signal) {
  const place = h("div", {}), lines = new Map();
  let inner = null, drawn = null;
  const pick = chooser(null, draw);
  function draw() {
    inner?.abort();
    inner = new AbortController();
    drawn = chart(`Live ${pick.name ?? "readings"} of ${id}`, [words(pick.name ?? "reading")], inner.signal);
    place.replaceChildren(drawn.root);
    if (lines.has(pick.name)) drawn.set(lines.get(pick.name).data);
  }
  function add(r) {
    pick.meet(r.name);
    if (!lines.has(r.name)) lines.set(r.name, new Lines(1));
    lines.get(r.name).add(0, Date.parse(r.time) / 1000, r.value);
  }
  draw();
  signal.addEventListener("abort", () => inner.abort());
  listen((kind, r) => {
    if (kind !== "reading" || r.device !== id) return;
    add(r);
    if (r.name === pick.name) drawn.set(lines.get(r.name).data);
  }, signal);
  api.get("/readings/" + encodeURIComponent(id), { from: new Date(Date.now() - 600_000).toISOString(), step: "raw", limit: 2000 })
    .then(past => { past.forEach(add); if (!signal.aborted) draw(); }, () => {});
  return card("Live", { end: pick.place, classes: "two-thirds" }, place);
}

const spans = { raw: ["Last hour", 3_600_000], minute: ["Last day", 86_400_000], hour: ["Last month", 30 * 86_400_000] };

export function historyCard(id, signal) {
  let step = "minute", found = [], inner = null;
  const place = h("div", {}), pick = chooser(null, draw);

  function draw() {
    inner?.abort();
    inner = new AbortController();
    const rows = found.filter(r => r.name === pick.name);
    if (rows.length === 0) {
      place.replaceChildren(h("p", { class: "empty" }, "Nothing is stored of that time."));
      return;
    }
    const hasRange = rows.some(r => r.min !== undefined && r.max !== undefined);
    const label = `${words(pick.name)}, ${spans[step][0].toLowerCase()}`;
    const drawn = chart(label, hasRange ? ["Least", "Greatest", "Mean"] : [words(pick.name)], inner.signal, { band: hasRange });
    place.replaceChildren(drawn.root);
    const times = rows.map(r => Date.parse(r.time) / 1000);
    drawn.set(hasRange ? [times, rows.map(r => r.min ?? null), rows.map(r => r.max ?? null), rows.map(r => r.value)] : [times, rows.map(r => r.value)]);
  }

  async function load() {
    const to = Date.now(), mine = step;
    place.replaceChildren(h("p", { class: "loading" }, "Loading…"));
    try {
      const next = await api.get("/readings/" + encodeURIComponent(id), { from: new Date(to - spans[step][1]).toISOString(), to: new Date(to).toISOString(), step, limit: 5000 });
      if (signal.aborted || mine !== step) return;
      found = next.sort((a, b) => Date.parse(a.time) - Date.parse(b.time));
      found.forEach(r => pick.meet(r.name));
      draw();
    } catch (e) {
      place.replaceChildren(h("p", { class: "notice bad" }, e.message));
    }
  }
  signal.addEventListener("abort", () => inner?.abort());
  load();
  return card("History", {
    classes: "two-thirds", end: h("div", { class: "checks" }, pick.place, segments("Time", Object.entries(spans).map(([s, [text]]) => [s, text]), step, s => { step = s; load(); })),
  }, place);
}

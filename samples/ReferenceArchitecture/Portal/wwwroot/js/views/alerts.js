import { api } from "../api.js";
import { card, field, h, table } from "../dom.js";
import { brief, format, words, word } from "../format.js";
import { listen } from "../live.js";
import { acknowledge, deviceLink, isOpen, severity, state } from "./alert-row.js";

const columns = changed => [
  { label: "Alert", class: "title", cell: a => a.text },
  { label: "Severity", cell: severity },
  { label: "State", cell: state },
  { label: "Device", cell: a => deviceLink(a.device) },
  { label: "Rule", cell: a => words(a.rule) },
  { label: "Value", class: "number", cell: a => format(a.value) },
  { label: "Raised", class: "number", cell: a => h("time", { datetime: a.raised }, brief(a.raised)) },
  { label: "Action", class: "end", cell: a => isOpen(a) ? acknowledge(a, changed) : "" },
];

const choice = (first, values) => h("select", {}, h("option", { value: "" }, first), values.map(v => h("option", { value: v }, words(v))));

export async function alerts({ signal }) {
  const found = new Map((await api.get("/alerts", { limit: 200 })).map(a => [a.id, a]));
  const states = choice("Any state", ["open", "raised", "escalated", "acknowledged", "cleared"]), severities = choice("Any severity", ["info", "warning", "critical"]);
  const text = h("input", { type: "search", placeholder: "Text, device or rule" });
  const place = h("div", {}), count = h("span", { class: "muted small", role: "status" });
  let pending = 0;

  function show() {
    pending = 0;
    // Not while a button of the list has the focus: it would be gone under the hand of who uses the keyboard.
    if (place.contains(document.activeElement) && document.activeElement.isConnected && !document.activeElement.disabled) { later(1500); return; }
    const wanted = text.value.toLowerCase();
    const rows = [...found.values()]
      .filter(a => !states.value || (states.value === "open" ? isOpen(a) : word(a.state) === states.value))
      .filter(a => !severities.value || word(a.severity) === severities.value)
      .filter(a => `${a.text} ${a.device} ${a.rule}`.toLowerCase().includes(wanted))
      .sort((a, b) => Date.parse(b.raised) - Date.parse(a.raised)).slice(0, 200);
    count.textContent = `${rows.length} alert${rows.length === 1 ? "" : "s"}`;
    place.replaceChildren(table("Alerts, the newest first", columns(changed), rows, "No alert is like that."));
  }
  const later = (wait = 300) => { pending ||= setTimeout(show, wait); };
  function changed(alert) {
    found.set(alert.id, alert);
    document.activeElement?.blur();
    show();
  }
  signal.addEventListener("abort", () => clearTimeout(pending));
  listen((kind, alert) => { if (kind === "alert") { found.set(alert.id, alert); later(); } }, signal);
  for (const control of [states, severities, text]) control.addEventListener("input", show);
  show();
  return [
    h("div", { class: "head" }, h("h1", {}, "Alerts"), count),
    h("div", { class: "filters" }, h("div", { class: "grow" }, field("Search", text)), field("State", states), field("Severity", severities)),
    card("All alerts", {}, place),
  ];
}

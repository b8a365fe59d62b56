import { api } from "../api.js";
import { badge, h, toast } from "../dom.js";
import { alertKind, brief, severityKind, since, word, words } from "../format.js";

export const isOpen = alert => ["raised", "escalated"].includes(word(alert.state));

export function acknowledge(alert, changed) {
  const button = h("button", {
    type: "button", class: "compact", "aria-label": `Acknowledge: ${alert.device}, ${alert.text}`,
    onclick: async () => {
      button.disabled = true;
      try {
        changed(await api.post(`/alerts/${encodeURIComponent(alert.id)}/acknowledge`) ?? { ...alert, state: "Acknowledged" });
        toast(`Acknowledged: ${alert.text}`);
      } catch (e) {
        button.disabled = false;
        toast(e.message, true);
      }
    },
  }, "Acknowledge");
  return button;
}

export const state = alert => badge(alertKind[word(alert.state)] ?? "", words(alert.state) + (alert.acknowledgedBy ? ` by ${alert.acknowledgedBy}` : ""));
export const severity = alert => badge(severityKind[word(alert.severity)] ?? "", words(alert.severity));
export const deviceLink = id => h("a", { href: "/devices/" + encodeURIComponent(id), "data-link": true }, id);

export function alertRow(alert, changed) {
  return h("li", { class: "alert" },
    h("div", { class: "checks" }, severity(alert), h("span", { class: "muted small" }, deviceLink(alert.device), " · ", h("time", { datetime: alert.raised, title: brief(alert.raised) }, since(alert.raised)))),
    h("div", { class: "grow" }, alert.text), isOpen(alert) ? acknowledge(alert, changed) : state(alert));
}

import { api } from "../api.js";
import { badge, card, field, h, toast } from "../dom.js";
import { compact, words } from "../format.js";
import { drawPlan } from "../plan.js";

/** A form for settings, from the values they have: numbers, switches, texts; what is nested stays as it is. */
function settingsForm(query) {
  const entries = Object.entries(query.settings ?? {}).filter(([, v]) => ["number", "boolean", "string"].includes(typeof v));
  if (entries.length === 0) return null;
  const controls = entries.map(([name, value]) => {
    const input = typeof value === "boolean" ? h("input", { type: "checkbox", checked: value }) : h("input", typeof value === "number" ? { type: "number", step: "any", required: true } : {});
    if (typeof value !== "boolean") input.value = value;
    return [name, input, () => typeof value === "boolean" ? input.checked : typeof value === "number" ? input.valueAsNumber : input.value];
  });
  return h("form", {
    class: "filters", "aria-label": `Settings of ${query.name}`,
    onsubmit: async e => {
      e.preventDefault();
      try {
        await api.post(`/queries/${encodeURIComponent(query.name)}/settings`, Object.fromEntries(controls.map(([n, , read]) => [n, read()])));
        toast(`${words(query.name)} goes on with the new settings.`);
      } catch (error) { toast(error.message, true); }
    },
  }, controls.map(([name, input]) => field(words(name), input)), h("button", { type: "submit" }, "Apply"));
}

function queryCard(query) {
  const values = new Map(), rates = new Map();
  const list = h("dl", { class: "counters" });
  let last = null, current = query;
  const status = h("span", {});

  function update(next) {
    const now = performance.now(), passed = last ? (now - last.at) / 1000 : 0;
    for (const [name, count] of Object.entries(next.counters ?? {})) {
      if (!values.has(name)) {
        values.set(name, h("span", { class: "value" }));
        rates.set(name, h("div", { class: "muted small" }));
        list.append(h("div", {}, h("dt", {}, words(name)), h("dd", {}, values.get(name), rates.get(name))));
      }
      values.get(name).textContent = compact(count);
      // Two answers at once tell no rate.
      if (passed > 0.5) rates.get(name).textContent = `${compact(Math.max(0, Math.round((count - (last.counters[name] ?? count)) / passed * 10) / 10))} a second`;
    }
    if (!last || passed > 0.5) last = { at: now, counters: next.counters ?? {} };
    status.replaceChildren(badge(next.error ? "bad" : /run|active/i.test(next.state) ? "good" : "warn", words(next.state)));
    current = next;
  }
  update(query);
  const settings = settingsForm(query);
  return {
    update,
    root: card(words(query.name), { end: status, classes: "wide-card" },
      query.error && h("p", { class: "notice bad" }, query.error), list,
      h("h3", { class: "hidden" }, "Plan"), h("div", { class: "plan-place" }, drawPlan(current.mermaid ?? "", query.name)),
      h("details", {}, h("summary", {}, "Plan as text"), h("pre", { tabindex: 0 }, query.plan)),
      settings && h("div", {}, h("h3", {}, "Settings"), settings)),
  };
}

export async function queries({ signal }) {
  const place = h("div", { class: "grid" }), count = h("span", { class: "muted small" });
  let cards = new Map();

  function show(list) {
    count.textContent = `${list.length} running`;
    if (list.length !== cards.size || list.some(q => !cards.has(q.name))) {
      cards = new Map(list.map(q => [q.name, cards.get(q.name) ?? queryCard(q)]));
      place.replaceChildren(...cards.size ? [...cards.values()].map(c => c.root) : [h("p", { class: "empty" }, "No query runs.")]);
    }
    list.forEach(q => cards.get(q.name).update(q));
  }
  show(await api.get("/queries"));
  const again = setInterval(() => document.hidden || api.get("/queries").then(l => signal.aborted || show(l), () => {}), 2000);
  signal.addEventListener("abort", () => clearInterval(again));
  return [h("div", { class: "head" }, h("h1", {}, "Queries"), count), place];
}

import { api } from "../api.js";
import { ask, badge, card, field, h, table, toast } from "../dom.js";
import { deviceKind, since, word, words } from "../format.js";
import { deviceLink } from "./alert-row.js";

export const presence = d => d.online ? badge("good", "Online") : badge("", "Offline");
export const life = d => badge(deviceKind[word(d.state)] ?? "", words(d.state));

const columns = [
  { label: "Device", class: "title", cell: d => deviceLink(d.id) },
  { label: "Presence", cell: presence },
  { label: "State", cell: life },
  { label: "Type", cell: d => words(d.type) },
  { label: "Group", cell: d => d.group ?? "–" },
  { label: "Owner", cell: d => d.owner ?? "–" },
  { label: "Last seen", cell: d => since(d.lastSeen) },
];

const Page = 200;

async function claim(go) {
  const device = h("input", { required: true, pattern: "[a-z0-9][a-z0-9\\-]{0,63}", autocomplete: "off" }), code = h("input", { required: true, autocomplete: "off" });
  const request = await ask("Add your device", {
    body: [field("Device", device, "Its id stands on the box."), field("Claim code", code, "So does the code: who has it becomes the owner.")],
    confirm: "Add", read: () => ({ device: device.value.trim(), code: code.value.trim() }),
  });
  if (!request) return;
  try {
    await api.post("/claims", request);
    toast(`${request.device} is yours.`);
    go("/devices/" + encodeURIComponent(request.device));
  } catch (e) {
    toast(e.message, true);
  }
}

export async function devices({ signal, go }) {
  let found = [], hasMore = false, asked = 0, typing = 0;
  const text = h("input", { type: "search", placeholder: "Id, type, group or owner" });
  const states = h("select", {}, h("option", { value: "" }, "Any state"), Object.keys(deviceKind).map(s => h("option", { value: s }, words(s))));
  const online = h("select", {}, h("option", { value: "" }, "Online or not"), h("option", { value: "true" }, "Online"), h("option", { value: "false" }, "Offline"));
  const place = h("div", {}), count = h("span", { class: "muted small", role: "status" });
  const more = h("button", { type: "button", onclick: () => load(true) }, "Show more");

  async function load(isNext = false) {
    const mine = ++asked;
    const page = await api.get("/devices", {
      q: text.value.trim(), state: states.value && words(states.value), online: online.value, limit: Page, after: isNext ? found.at(-1)?.id : undefined,
    });
    if (mine !== asked || signal.aborted) return;
    found = isNext ? [...found, ...page] : page;
    hasMore = page.length === Page;
    show();
  }

  function show() {
    const wanted = text.value.trim().toLowerCase();
    const rows = found
      .filter(d => `${d.id} ${d.type} ${d.group ?? ""} ${d.owner ?? ""}`.toLowerCase().includes(wanted))
      .filter(d => !states.value || word(d.state) === states.value)
      .filter(d => !online.value || String(d.online) === online.value);
    count.textContent = `${rows.length}${hasMore ? "+" : ""} device${rows.length === 1 ? "" : "s"}`;
    place.replaceChildren(table("Devices", columns, rows, "No device is like that."));
    more.hidden = !hasMore;
  }

  const changed = () => {
    clearTimeout(typing);
    typing = setTimeout(() => load().catch(e => toast(e.message, true)), 250);
  };
  for (const control of [text, states, online]) control.addEventListener("input", changed);
  const again = setInterval(() => { if (!document.hidden && found.length <= Page) load().catch(() => {}); }, 10_000);
  signal.addEventListener("abort", () => clearInterval(again));
  await load();
  return [
    h("div", { class: "head" }, h("h1", {}, "Devices"), count, h("div", { class: "actions" }, h("button", { type: "button", class: "primary", onclick: () => claim(go) }, "Add your device"))),
    h("div", { class: "filters" }, h("div", { class: "grow" }, field("Search", text)), field("State", states), field("Presence", online)),
    card("All devices", {}, place, more),
  ];
}

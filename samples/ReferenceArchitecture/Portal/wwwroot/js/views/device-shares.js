import { api, session } from "../api.js";
import { ask, card, field, h, table, toast } from "../dom.js";
import { time, words } from "../format.js";

const may = [["read", "See readings and alerts"], ["command", "Send commands"], ["acknowledge", "Acknowledge alerts"]];

/** A moment as the field for local times wants it. */
function local(date) {
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export async function askShare(device) {
  const person = h("input", { required: true, autocomplete: "off", maxlength: 64 });
  const until = h("input", { type: "datetime-local", required: true, min: local(new Date()), max: local(new Date(Date.now() + 365 * 86_400_000)) });
  until.value = local(new Date(Date.now() + 7 * 86_400_000));
  const boxes = may.map(([action, text], i) => [action, h("input", { type: "checkbox", checked: i === 0 }), text]);
  return await ask(`Share ${device}`, {
    body: [
      field("With", person, "The person's user name, or an app's id."),
      h("fieldset", {}, h("legend", {}, "May"), h("div", { class: "checks" }, boxes.map(([, box, text]) => h("label", {}, box, text)))),
      field("Until", until, "After that it ends by itself."),
    ],
    confirm: "Share",
    read: () => ({ device, with: person.value.trim(), actions: boxes.filter(([, box]) => box.checked).map(([a]) => a), until: new Date(until.value).toISOString() }),
  });
}

export function sharesTable(shares, changed, withDevice = false) {
  const columns = [
    withDevice && { label: "Device", class: "title", cell: s => h("a", { href: "/devices/" + encodeURIComponent(s.device), "data-link": true }, s.device) },
    { label: "With", class: withDevice ? "" : "title", cell: s => s.with === session.user ? `you, by ${s.owner}` : s.with },
    { label: "May", cell: s => s.actions.map(words).join(", ") },
    { label: "Until", class: "number", cell: s => time(s.until) },
    {
      label: "Action", class: "end", cell: s => s.with === session.user ? "" : h("button", {
        type: "button", class: "compact", "aria-label": `End the share of ${s.device} with ${s.with}`,
        onclick: async () => {
          try {
            await api.delete("/shares/" + encodeURIComponent(s.id));
            toast("The share has ended.");
            changed(shares.filter(o => o !== s));
          } catch (e) { toast(e.message, true); }
        },
      }, "End"),
    },
  ].filter(Boolean);
  return table("Shares", columns, shares, "It is not shared with anybody.");
}

export function sharesCard(device, record, list) {
  const place = h("div", {});
  const draw = shares => place.replaceChildren(sharesTable(shares, draw));
  let all = list.filter(s => s.device === device);
  draw(all);
  const add = h("button", {
    type: "button", class: "compact",
    onclick: async () => {
      const wish = await askShare(device);
      if (!wish) return;
      try {
        all = [...all, await api.post("/shares", wish)];
        draw(all);
        toast(`Shared with ${wish.with}.`);
      } catch (e) { toast(e.message, true); }
    },
  }, "Share…");
  return card("Shared with", { classes: "half", end: record.owner === session.user || !record.owner ? add : undefined }, place);
}

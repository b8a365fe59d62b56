import { api, logOut, session } from "../api.js";
import { ask, badge, card, field, h, toast } from "../dom.js";
import { words } from "../format.js";
import { sharesTable } from "./device-shares.js";

function download(name, value) {
  const url = URL.createObjectURL(new Blob([JSON.stringify(value, null, 2)], { type: "application/json" }));
  const link = h("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

async function exportAll(button) {
  button.disabled = true;
  try {
    download(`${session.user}-data.json`, await api.get("/me/export"));
    toast("Your data were downloaded.");
  } catch (e) {
    toast(e.message, true);
  } finally {
    button.disabled = false;
  }
}

async function erase() {
  const typed = h("input", { required: true, autocomplete: "off", pattern: session.user.replace(/[^a-z0-9-]/gi, "\\$&") });
  const sure = await ask("Erase all your data?", {
    body: [
      h("p", {}, "Your readings and alerts, devices and their state, shares and your account are deleted. Nobody can bring them back."),
      field(`Type ${session.user} to go on`, typed),
    ],
    confirm: "Erase everything", danger: true,
  });
  if (!sure) return;
  try {
    await api.delete("/me");
    location.assign("/welcome");
  } catch (e) {
    toast(`Not everything could be erased: ${e.message} Ask again.`, true);
  }
}

export async function profile() {
  const [me, list] = await Promise.all([api.get("/me"), api.get("/shares").catch(() => [])]);
  const shares = h("div", {}), draw = rest => shares.replaceChildren(sharesTable(rest, draw, true));
  draw(list);
  const take = h("button", { type: "button", onclick: () => exportAll(take) }, "Download my data");
  return [
    h("div", { class: "head" }, h("h1", {}, session.name), me.roles.map(r => badge("info", words(r))),
      h("div", { class: "actions" }, h("button", { type: "button", onclick: () => logOut().catch(e => toast(e.message, true)) }, "Log out"))),
    h("div", { class: "grid" },
      card("Shares", { classes: "two-thirds" }, shares),
      card("Account", { classes: "third" }, h("dl", { class: "pairs" }, h("dt", {}, "User"), h("dd", {}, me.id), h("dt", {}, "This session may"), h("dd", {}, me.scopes.filter(s => s.includes(".")).map(words).join(", ")))),
      card("Your data", { classes: "two-thirds" },
        h("p", {}, "Everything that every part of this installation keeps about you, as one file."), h("p", {}, take)),
      card("Leave", { classes: "third" },
        h("p", {}, "Deletes your account, your devices and everything they ever sent."), h("button", { type: "button", class: "danger", onclick: erase }, "Erase everything…"))),
  ];
}

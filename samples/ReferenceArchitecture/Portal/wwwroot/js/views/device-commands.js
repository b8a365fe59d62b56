import { api } from "../api.js";
import { announce, ask, badge, card, field, h, table, toast } from "../dom.js";
import { brief, commandKind, time, word, words } from "../format.js";

const ended = new Set(["acked", "failed", "expired", "refused"]);

const columns = [
  { label: "Command", class: "title", cell: c => [words(c.name), c.arguments ? h("div", { class: "muted small mono" }, JSON.stringify(c.arguments)) : ""] },
  { label: "State", cell: c => [badge(commandKind[word(c.state)] ?? "", words(c.state)), c.detail ? h("div", { class: "muted small" }, c.detail) : ""] },
  { label: "By", cell: c => c.by },
  { label: "Given", class: "number", cell: c => h("time", { datetime: c.created, title: time(c.created) }, brief(c.created)) },
];

function readJson(text) {
  const value = JSON.parse(text || "{}");
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new SyntaxError();
  return value;
}

function jsonField(label, text, hint) {
  const area = h("textarea", { class: "mono", spellcheck: "false" });
  area.value = text;
  area.addEventListener("input", () => {
    try { readJson(area.value); area.setCustomValidity(""); } catch { area.setCustomValidity("Names and values as JSON, such as {\"output\":\"fan\",\"value\":1}."); }
  });
  return [area, field(label, area, hint)];
}

async function askCommand(id) {
  const name = h("select", {}, ["set", "reboot", "rollback", "network"].map(n => h("option", { value: n }, words(n)))), [values, valuesField] = jsonField("With", "{\"output\":\"fan\",\"value\":1}", "Names and values as JSON.");
  const life = h("select", {}, [["00:05:00", "5 minutes"], ["01:00:00", "1 hour"], ["1.00:00:00", "1 day"]].map(([v, t]) => h("option", { value: v }, t)));
  const reason = h("input", { maxlength: 200, autocomplete: "off" });
  life.value = "01:00:00";
  return await ask(`Send a command to ${id}`, {
    body: [field("Command", name), valuesField, field("May wait for the device", life), field("Why", reason, "Stands in the audit log.")],
    confirm: "Send command",
    read: () => ({ name: name.value, arguments: readJson(values.value), timeToLive: life.value, reason: reason.value || undefined }),
  });
}

/** Commands with their states, and what else can be done with a device. */
export function commandsCard(path, first, list, signal, { refresh }) {
  let commands = list, device = first;
  const place = h("div", {}), actions = h("div", { class: "actions" });

  function draw() {
    place.replaceChildren(table("Commands, the newest first", columns, [...commands].sort((a, b) => Date.parse(b.created) - Date.parse(a.created)).slice(0, 10), "No command was sent yet."));
  }

  async function look() {
    const before = new Map(commands.map(c => [c.id, c.state]));
    const next = await api.get(path + "/commands", { limit: 20 });
    if (signal.aborted) return;
    commands = next;
    for (const c of commands) if (before.has(c.id) && before.get(c.id) !== c.state) announce(`${words(c.name)}: ${words(c.state)}`);
    draw();
  }

  async function run(work, done) {
    try {
      await work();
      toast(done);
      await Promise.all([look(), refresh()]);
    } catch (e) {
      toast(e.message, true);
    }
  }

  async function send() {
    const command = await askCommand(device.id);
    if (command) await run(() => api.post(path + "/commands", command), `${words(command.name)} is on its way.`);
  }

  async function desire(values) {
    const [area, control] = jsonField("Desired state", JSON.stringify(values, null, 2), "The device reports when it is like that.");
    const wanted = await ask(`Desired state of ${device.id}`, { body: [control], confirm: "Set", read: () => readJson(area.value) });
    if (wanted) await run(() => api.put(path + "/desired", wanted), "The device is told.");
  }

  const act = (verb, question, done, danger) => async () => {
    const sure = await ask(question[0], { body: [h("p", {}, question[1])], confirm: words(verb), danger });
    if (sure) await run(() => api.post(`${path}/${verb}`), done);
  };

  function drawActions() {
    const isLocked = word(device.state) === "locked";
    const locate = h("button", { type: "button", onclick: () => run(() => api.post(path + "/locate"), "The device is asked where it is.") }, "Locate");
    const lock = isLocked
      ? h("button", { type: "button", onclick: act("unlock", [`Unlock ${device.id}?`, "It takes commands again."], "Unlocked.") }, "Unlock")
      : h("button", { type: "button", onclick: act("lock", [`Lock ${device.id}?`, "It takes no command any more until it is unlocked."], "Locked.") }, "Lock");
    const wipe = h("button", { type: "button", class: "danger", onclick: act("wipe", [`Wipe ${device.id}?`, "Everything secret on it is deleted, and it has to be provisioned anew. This can't be undone."], "The device is told to delete its data.", true) }, "Wipe");
    const next = [h("button", { type: "button", class: "primary", onclick: send }, "Send command"), locate, lock, wipe];
    const at = [...actions.children].indexOf(document.activeElement);
    actions.replaceChildren(...next);
    if (at >= 0) next[at].focus();
  }

  const again = setInterval(() => { if (!document.hidden && commands.some(c => !ended.has(word(c.state)))) look().catch(() => {}); }, 1000);
  signal.addEventListener("abort", () => clearInterval(again));
  draw();
  drawActions();
  return {
    root: card("Commands", { classes: "half" }, place), actions, desire,
    device(next) {
      const isChanged = next.state !== device.state;
      device = next;
      if (isChanged) drawActions();
    },
  };
}

// Elements without HTML text: what comes from devices and people is never markup.
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter(c => c !== undefined && c !== null && c !== false));
  return element;
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

let ids = 0;
export const newId = () => "x" + ++ids;

export function field(label, control, hint) {
  control.id ||= newId();
  const about = hint && h("span", { class: "muted small", id: newId() }, hint);
  if (about) control.setAttribute("aria-describedby", about.id);
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control, about);
}

export const badge = (kind, text) => h("span", { class: "badge " + kind }, text);

export function card(title, { end, classes = "", level = "h2" } = {}, ...content) {
  const heading = h(level, { id: newId() }, title);
  return h("section", { class: "card " + classes, "aria-labelledby": heading.id }, h("header", {}, heading, end && h("div", { class: "end" }, end)), ...content);
}

/** A table whose rows become cards on a phone. Columns: { label, cell(row), class }. */
export function table(caption, columns, rows, empty) {
  if (rows.length === 0) return h("p", { class: "empty" }, empty);
  return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": caption }, h("table", { class: "cards" },
    h("caption", { class: "hidden" }, caption),
    h("thead", {}, h("tr", {}, columns.map(c => h("th", { scope: "col", class: c.class === "end" ? "end" : undefined }, c.label)))),
    h("tbody", {}, rows.map(row => h("tr", {}, columns.map(c => h("td", { class: c.class, "data-label": c.label }, c.cell(row))))))));
}

/** A choice of one: among few as buttons, among many as a list. */
export function segments(label, options, chosen, choose) {
  if (options.length > 4) {
    return h("select", { "aria-label": label, onchange: e => choose(e.target.value) },
      options.map(([value, text]) => h("option", { value, selected: value === chosen ? "" : undefined }, text)));
  }
  const buttons = options.map(([value, text]) => h("button", {
    type: "button", "aria-pressed": String(value === chosen),
    onclick: () => {
      buttons.forEach((b, i) => b.setAttribute("aria-pressed", String(options[i][0] === value)));
      choose(value);
    },
  }, text));
  return h("div", { class: "segments", role: "group", "aria-label": label }, buttons);
}

/** Asks; gives what `read` makes of the form, or null. The browser keeps the focus inside and gives it back. */
export function ask(title, { body = [], confirm = "OK", danger = false, read = () => true } = {}) {
  return new Promise(resolve => {
    const heading = h("h2", { id: newId() }, title);
    const dialog = h("dialog", { "aria-labelledby": heading.id },
      h("form", { method: "dialog", onsubmit: () => { answer = read(); } }, heading, ...body,
        h("div", { class: "buttons" },
          h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"),
          h("button", { type: "submit", class: danger ? "danger" : "primary" }, confirm))));
    let answer = null;
    dialog.addEventListener("close", () => { dialog.remove(); resolve(answer); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

export function announce(text, urgent = false) {
  document.getElementById(urgent ? "urgent" : "announce").textContent = text;
}

export function toast(text, bad = false) {
  const element = h("div", { class: bad ? "toast bad" : "toast" }, text);
  document.getElementById("toasts").append(element);
  announce(text, bad);
  setTimeout(() => element.remove(), bad ? 10000 : 5000);
}

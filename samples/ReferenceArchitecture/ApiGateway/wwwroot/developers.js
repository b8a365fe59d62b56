// The developer page: find, explore, subscribe, keys, try. No host but this one; text goes in as text, never as markup.

const $ = id => document.getElementById(id);
let session = null;
let offer = { apis: [], plans: [] };

/** Makes an element: el("p", { class: "dim" }, "text", child). */
function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) {
      made.addEventListener(key.slice(2), value);
    } else if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(key, value === true ? "" : value);
    }
  }

  made.append(...children.filter(c => c !== null && c !== undefined));
  return made;
}

function say(text, isProblem = false) {
  $("message").textContent = text;
  $("message").classList.toggle("problem", isProblem);
}

/** Asks the gateway; gives null for 204, throws what a problem says. */
async function ask(path, method = "GET", body) {
  const headers = {};
  if (method !== "GET") {
    headers["X-CSRF-Token"] = session?.csrf ?? "";
  }

  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
  }

  const response = await fetch("/developers/" + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  if (response.status === 204) {
    return null;
  }

  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    const problem = new Error([answer.title ?? response.status, answer.detail].filter(Boolean).join(": "));
    problem.status = response.status;
    throw problem;
  }

  return answer;
}

/** Does what a button asks for; says what went wrong. */
async function act(work, done) {
  try {
    await work();
    if (done) {
      say(done);
    }
  } catch (e) {
    say(e.message, true);
  }
}

const when = text => new Date(text).toLocaleString();
const day = text => new Date(text).toLocaleDateString();

function showWho() {
  $("who").replaceChildren(...(session
    ? [el("span", {}, session.subject), el("button", { class: "second", onclick: () => act(async () => { await ask("logout", "POST"); location.reload(); }) }, "Sign out")]
    : [el("a", { class: "button", href: "/developers/login" }, "Sign in")]));
}

function showApis() {
  const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = offer.apis.filter(a => words.every(w => (a.title + " " + a.description + " " + a.scopes.join(" ")).toLowerCase().includes(w)));
  $("apis").replaceChildren(...found.map(api => el("article", { class: "card" },
    el("h3", {}, api.title),
    el("p", {}, api.description),
    el("p", { class: "dim" }, "Scopes: " + api.scopes.join(", ")),
    el("ul", { class: "plain" }, ...api.versions.map(v => showVersion(api, v)))))); 
  if (found.length === 0) {
    $("apis").append(el("p", {}, "No API has all of these words."));
  }
}

function showVersion(api, version) {
  const life = version.state === "current" ? `${version.available} of ${version.instances} instances answer`
    : [version.deprecated && "deprecated since " + day(version.deprecated), version.sunset && "ends " + day(version.sunset), version.successor && "use " + version.successor].filter(Boolean).join(", ");
  return el("li", {},
    el("strong", {}, version.version), " ", el("span", { class: "badge " + version.state }, version.state), " ", el("code", {}, version.path),
    el("div", { class: "dim" }, life),
    version.document ? el("button", { class: "second", onclick: () => act(() => explore(api, version)) }, `Explore ${version.version}`) : null);
}

/** Follows a reference inside the document, a few levels deep: schemas may contain themselves. */
function resolve(document, schema) {
  for (let i = 0; i < 8 && schema?.$ref; i++) {
    schema = schema.$ref.replace(/^#\//, "").split("/").reduce((at, part) => at?.[part.replaceAll("~1", "/").replaceAll("~0", "~")], document);
  }

  return schema ?? {};
}

/** A schema in some words: {name: string, devices: [string]}. */
function describe(document, schema, depth = 0) {
  const name = schema?.$ref?.split("/").at(-1);
  schema = resolve(document, schema);
  const type = [].concat(schema.type ?? []).filter(t => t !== "null").join(" or ");
  if (schema.enum) {
    return schema.enum.join(" | ");
  }

  if (type === "array") {
    return "[" + describe(document, schema.items, depth + 1) + "]";
  }

  if (schema.properties && depth < 2) {
    const required = new Set(schema.required ?? []);
    return "{ " + Object.entries(schema.properties).map(([key, s]) => key + (required.has(key) ? "" : "?") + ": " + describe(document, s, depth + 1)).join(", ") + " }";
  }

  return name ?? (type || "anything");
}

async function explore(api, version) {
  const response = await fetch(version.document);
  if (!response.ok) {
    throw new Error(`The description can't be read now (${response.status}).`);
  }

  const document = await response.json();
  const operations = [];
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const [method, operation] of Object.entries(item)) {
      if (["get", "post", "put", "patch", "delete"].includes(method)) {
        operations.push(showOperation(document, path, method.toUpperCase(), operation, item.parameters ?? []));
      }
    }
  }

  $("document").replaceChildren(el("h2", {}, `${api.title} ${version.version}`), el("p", {}, document.info?.description ?? ""), ...operations);
  $("document").focus();
  $("document").scrollIntoView();
}

function showOperation(document, path, method, operation, shared) {
  const parameters = [...shared, ...(operation.parameters ?? [])].map(p => resolve(document, p));
  const body = operation.requestBody && Object.values(resolve(document, operation.requestBody).content ?? {})[0]?.schema;
  return el("details", {},
    el("summary", {}, el("span", { class: "method" }, method), " ", el("code", {}, path), " ", operation.summary ?? ""),
    operation.description ? el("p", {}, operation.description) : null,
    parameters.length === 0 ? null : el("ul", { class: "plain" }, ...parameters.map(p =>
      el("li", {}, el("code", {}, p.name), ` in ${p.in}${p.required ? ", required" : ""}: ${describe(document, p.schema)} `, el("span", { class: "dim" }, p.description ?? "")))),
    body ? el("p", {}, "Body: ", el("code", {}, describe(document, body))) : null,
    el("ul", { class: "plain" }, ...Object.entries(operation.responses ?? {}).map(([status, r]) => {
      const schema = Object.values(resolve(document, r).content ?? {})[0]?.schema;
      return el("li", {}, el("strong", {}, status), " " + (r.description ?? "") + " ", schema ? el("code", {}, describe(document, schema)) : null);
    })),
    el("button", {
      class: "second",
      onclick: () => {
        $("try-method").value = method;
        $("try-path").value = path;
        $("try-body").value = body ? "{}" : "";
        $("try").scrollIntoView();
        $("try-path").focus();
      },
    }, "Try it"));
}

async function showApps() {
  if (!session) {
    $("apps").replaceChildren(el("p", {}, "Sign in to subscribe and to see your apps."));
    $("subscribe").hidden = true;
    return;
  }

  const subscriptions = await ask("api/subscriptions");
  $("apps").replaceChildren(...(subscriptions.length > 0 ? subscriptions.map(showApp) : [el("p", {}, "None yet: subscribe below.")]));
  for (const s of subscriptions) {
    act(async () => showUsage(s, await ask(`api/subscriptions/${s.clientId}/usage?hours=24`)));
  }
}

function showApp(s) {
  const at = `api/subscriptions/${s.clientId}`;
  return el("article", { class: "card" },
    el("h3", {}, s.name),
    el("p", { class: "dim" }, `${s.api}, plan ${s.plan}, `, el("code", {}, s.clientId)),
    el("p", { class: "dim" }, s.scopes.join(", ")),
    el("div", { id: "usage-" + s.clientId }),
    el("ul", { class: "plain" }, ...s.keys.map(k => el("li", {},
      el("code", {}, k.name + "…"), el("span", { class: "dim" }, ` since ${when(k.created)}${k.ends ? ", until " + when(k.ends) : ""} `),
      el("button", { class: "danger", "aria-label": `Revoke key ${k.name}`, onclick: () => act(async () => { await ask(`${at}/keys/${k.name}`, "DELETE"); await showApps(); }, "The key is revoked.") }, "Revoke")))),
    el("button", {
      class: "second",
      onclick: () => act(async () => {
        reveal(await ask(`${at}/keys`, "POST", { overlapHours: 24 }));
        await showApps();
      }, "A new key is made; the one before holds for 24 hours."),
    }, "New key"),
    el("button", { class: "danger", onclick: () => confirm(`End ${s.name} and its keys?`) && act(async () => { await ask(at, "DELETE"); await showApps(); }, "The subscription has ended.") }, "End"));
}

function showUsage(s, hours) {
  const svgName = "http://www.w3.org/2000/svg";
  const now = Math.floor(Date.now() / 3_600_000);
  const most = Math.max(1, ...hours.map(h => h.calls));
  const svg = document.createElementNS(svgName, "svg");
  const total = hours.reduce((sum, h) => ({ calls: sum.calls + h.calls, errors: sum.errors + h.errors, refused: sum.refused + h.refused }), { calls: 0, errors: 0, refused: 0 });
  const text = `${total.calls} calls in 24 hours, ${total.refused} past the limit, ${total.errors} errors`;
  for (const [name, value] of Object.entries({ class: "chart", viewBox: "0 0 240 60", preserveAspectRatio: "none", role: "img", "aria-label": text })) {
    svg.setAttribute(name, value);
  }

  for (const h of hours) {
    const x = (23 - (now - Math.floor(new Date(h.hour) / 3_600_000))) * 10;
    let y = 60;
    for (const [kind, count] of [["errors", h.errors], ["refused", h.refused], ["calls", h.calls - h.errors - h.refused]]) {
      const height = count / most * 56;
      const bar = document.createElementNS(svgName, "rect");
      y -= height;
      for (const [name, value] of Object.entries({ class: kind, x: x + 1, y, width: 8, height })) {
        bar.setAttribute(name, value);
      }

      svg.append(bar);
    }
  }

  $("usage-" + s.clientId)?.replaceChildren(svg, el("p", { class: "dim" }, text));
}

/** Shows what is told once, and puts the key where it can be tried. */
function reveal(secrets) {
  $("secret-values").replaceChildren(...[["Key (X-Api-Key)", secrets.key], ["Client id", secrets.clientId], ["Client secret", secrets.clientSecret]]
    .flatMap(([name, value]) => [el("dt", {}, name), el("dd", { tabindex: 0 }, value)]));
  $("try-key").value = secrets.key;
  $("secrets").showModal();
}

function showForm() {
  $("subscribe").hidden = false;
  $("sub-api").replaceChildren(...offer.apis.map(a => el("option", { value: a.id }, a.title)));
  $("sub-plan").replaceChildren(...offer.plans.map(p => el("option", { value: p.name }, `${p.name}: ${p.perSecond} a second, ${p.perDay.toLocaleString()} a day`)));
  showScopes();
}

function showScopes() {
  const api = offer.apis.find(a => a.id === $("sub-api").value);
  const scopes = (api?.scopes ?? []).filter(s => session.scopes.includes(s));
  $("sub-scopes").replaceChildren(el("legend", {}, "What it may do in your name"), ...scopes.map(s =>
    el("label", {}, el("input", { type: "checkbox", name: "scope", value: s, checked: s.endsWith(".read") }), s)));
}

async function send(form) {
  const given = new FormData(form);
  const method = given.get("method");
  const path = given.get("path");
  if (!path.startsWith("/") || path.startsWith("//")) {
    throw new Error("A path begins with one slash.");
  }

  const headers = { "X-Api-Key": given.get("key").trim(), Accept: "application/json" };
  const hasBody = method !== "GET" && given.get("body").trim().length > 0;
  if (hasBody) {
    headers["Content-Type"] = "application/json";
  }

  const from = performance.now();
  const response = await fetch(path, { method, headers, body: hasBody ? given.get("body") : undefined, credentials: "omit" });
  const text = (await response.text()).slice(0, 100_000);
  $("answer").hidden = false;
  $("answer-status").textContent = `${response.status} ${response.statusText}`;
  $("answer-time").textContent = `${Math.round(performance.now() - from)} ms`;
  $("answer-headers").textContent = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  let shown = text;
  try {
    shown = JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    // Not JSON: as it came.
  }

  $("answer-body").textContent = shown;
}

$("search").addEventListener("input", showApis);
$("sub-api").addEventListener("change", showScopes);
$("console").addEventListener("submit", e => {
  e.preventDefault();
  act(() => send(e.target));
});
$("subscribe").addEventListener("submit", e => {
  e.preventDefault();
  act(async () => {
    const given = new FormData(e.target);
    reveal(await ask("api/subscriptions", "POST", { api: given.get("api"), name: given.get("name"), plan: given.get("plan"), scopes: given.getAll("scope") }));
    e.target.reset();
    await showApps();
  }, "Subscribed.");
});

await act(async () => {
  if (new URLSearchParams(location.search).has("failed")) {
    say("The sign-in did not succeed; try again.", true);
  }

  session = await ask("api/session").catch(e => {
    if (e.status === 401) {
      return null;
    }

    throw e;
  });
  showWho();
  offer = await ask("api/apis");
  showApis();
  if (session) {
    showForm();
  }

  await showApps();
});

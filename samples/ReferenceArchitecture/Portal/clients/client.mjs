#!/usr/bin/env node
// A program that uses the portal's API, with plain Node (18 or later), no package.
//
//   node client.mjs --api http://127.0.0.1:5100 --identity http://127.0.0.1:5101 --id my-app --secret-file secret.txt
//
// Gets a token by client credentials, lists devices, reads the history of one, follows what happens live, sends a command and acknowledges an alert.
import { readFile } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";

const TimeoutMilliseconds = 30_000;

class Api {
  #token = null;
  #ends = 0;

  constructor(api, identity, id, secret) {
    Object.assign(this, { api: api.replace(/\/$/, "") + "/api/v1", identity: identity.replace(/\/$/, ""), id, secret });
  }

  async #authorization() {
    if (performance.now() > this.#ends - 30_000) {
      const response = await fetch(this.identity + "/connect/token", {
        method: "POST", signal: AbortSignal.timeout(TimeoutMilliseconds),
        body: new URLSearchParams({ grant_type: "client_credentials", client_id: this.id, client_secret: this.secret }),
      });
      if (!response.ok) throw new Error(`No token: ${response.status} ${await response.text()}`);
      const given = await response.json();
      this.#token = given.access_token;
      this.#ends = performance.now() + given.expires_in * 1000;
    }
    return "Bearer " + this.#token;
  }

  async open(method, path, { body, parameters = {}, accept = "application/json", signal } = {}) {
    const query = new URLSearchParams(parameters);
    for (;;) {
      const headers = { Authorization: await this.#authorization(), Accept: accept };
      if (body !== undefined) headers["Content-Type"] = "application/json";
      const response = await fetch(this.api + path + (query.size ? "?" + query : ""), {
        method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal: signal ?? AbortSignal.timeout(TimeoutMilliseconds),
      });
      if (response.ok) return response;
      // Problem details say what is wrong, and what to do.
      if (response.status !== 429) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
      await wait(1000 * Number(response.headers.get("retry-after") ?? 1));
    }
  }

  async call(method, path, options) {
    const text = await (await this.open(method, path, options)).text();
    return text ? JSON.parse(text) : null;
  }

  /** Events as [name, data], until who asks has enough. */
  async * live(...devices) {
    const end = new AbortController();
    try {
      const response = await this.open("GET", "/live", { accept: "text/event-stream", parameters: { devices: devices.join(",") }, signal: end.signal });
      let rest = "";
      for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
        const events = (rest + part).split(/\r?\n\r?\n/);
        rest = events.pop();
        for (const event of events) {
          const lines = event.split(/\r?\n/), of = word => lines.filter(l => l.startsWith(word + ":")).map(l => l.slice(word.length + 1).trim());
          if (of("data").length) yield [of("event")[0] ?? "message", JSON.parse(of("data").join("\n"))];
        }
      }
    } finally {
      end.abort();
    }
  }
}

const { values: given } = parseArgs({
  options: {
    api: { type: "string", default: "http://127.0.0.1:5100" }, identity: { type: "string", default: "http://127.0.0.1:5101" },
    id: { type: "string" }, "secret-file": { type: "string" }, device: { type: "string" },
  },
});
if (!given.id || !given["secret-file"]) {
  console.error("--id and --secret-file are needed; a file, so that the secret stands in no list of processes.");
  process.exit(2);
}

const api = new Api(given.api, given.identity, given.id, (await readFile(given["secret-file"], "utf8")).trim());
const devices = await api.call("GET", "/devices", { parameters: { limit: 100 } });
console.log(`devices ${devices.length}`);
const device = given.device ?? devices.find(d => d.online).id;

const history = await api.call("GET", `/readings/${device}`, { parameters: { step: "minute" } });
console.log(`history ${device} ${history.length}, the last ${history.at(-1).name} ${history.at(-1).value}`);

let followed = 0;
for await (const [name, event] of api.live(device)) {
  if (name === "reading") {
    console.log(`live ${event.device} ${event.name} ${event.value}`);
    if (++followed === 3) break;
  }
}

let command = await api.call("POST", `/devices/${device}/commands`, { body: { name: "set", arguments: { output: "fan", value: 1 }, reason: "client.mjs" } });
while (["queued", "sent", "delivered"].includes(command.state.toLowerCase())) {
  await wait(200);
  command = (await api.call("GET", `/devices/${device}/commands`)).find(c => c.id === command.id);
}
console.log(`command ${command.state}`);

const [alert] = (await api.call("GET", "/alerts", { parameters: { limit: 100 } })).filter(a => ["raised", "escalated"].includes(a.state.toLowerCase()));
if (alert) {
  const seen = await api.call("POST", `/alerts/${alert.id}/acknowledge`);
  console.log(`alert ${seen.id} ${seen.state} by ${seen.acknowledgedBy}`);
}

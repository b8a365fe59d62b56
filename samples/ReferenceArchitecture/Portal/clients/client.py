#!/usr/bin/env python3
"""A program that uses the portal's API, with Python's standard library alone.

    python3 client.py --api http://127.0.0.1:5100 --identity http://127.0.0.1:5101 --id my-app --secret-file secret.txt

Gets a token by client credentials, lists devices, reads the history of one, follows what happens live, sends a command and acknowledges an alert.
"""

import argparse
import json
import pathlib
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

TIMEOUT_SECONDS = 30


class Api:
    """Requests with a token, which is asked for again before it ends."""

    def __init__(self, api, identity, client_id, secret):
        self.api = api.rstrip("/") + "/api/v1"
        self.token_address = identity.rstrip("/") + "/connect/token"
        self.credentials = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        self.token, self.ends = None, 0.0

    def authorization(self):
        if time.monotonic() > self.ends - 30:
            form = urllib.parse.urlencode(self.credentials).encode()
            with urllib.request.urlopen(self.token_address, form, timeout=TIMEOUT_SECONDS) as answer:
                given = json.load(answer)
            self.token, self.ends = given["access_token"], time.monotonic() + given["expires_in"]
        return "Bearer " + self.token

    def open(self, method, path, body=None, accept="application/json", **parameters):
        address = self.api + path + ("?" + urllib.parse.urlencode(parameters) if parameters else "")
        request = urllib.request.Request(address, method=method, headers={"Authorization": self.authorization(), "Accept": accept})
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        while True:
            try:
                return urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
            except urllib.error.HTTPError as error:
                if error.code != 429:
                    # Problem details say what is wrong, and what to do.
                    raise SystemExit(f"{method} {path}: {error.code} {error.read().decode()}") from error
                time.sleep(float(error.headers.get("Retry-After", "1")))

    def call(self, method, path, body=None, **parameters):
        with self.open(method, path, body, **parameters) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def live(self, *devices):
        """Events as (name, data), for as long as the server sends."""
        name, data = "message", []
        with self.open("GET", "/live", accept="text/event-stream", devices=",".join(devices)) as stream:
            for line in stream:
                line = line.decode().rstrip("\r\n")
                if not line:
                    if data:
                        yield name, json.loads("\n".join(data))
                    name, data = "message", []
                elif line.startswith("event:"):
                    name = line[6:].strip()
                elif line.startswith("data:"):
                    data.append(line[5:].strip())


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--api", default="http://127.0.0.1:5100")
    options.add_argument("--identity", default="http://127.0.0.1:5101")
    options.add_argument("--id", required=True)
    options.add_argument("--secret-file", required=True, help="a file, so that the secret stands in no list of processes")
    options.add_argument("--device", help="the first that is online by default")
    given = options.parse_args()
    api = Api(given.api, given.identity, given.id, pathlib.Path(given.secret_file).read_text(encoding="utf-8").strip())

    devices = api.call("GET", "/devices", limit=100)
    print(f"devices {len(devices)}")
    device = given.device or next(d["id"] for d in devices if d["online"])

    history = api.call("GET", f"/readings/{device}", step="minute")
    print(f"history {device} {len(history)}, the last {history[-1]['name']} {history[-1]['value']}")

    followed = 0
    for name, event in api.live(device):
        if name == "reading":
            print(f"live {event['device']} {event['name']} {event['value']}")
            followed += 1
        if followed == 3:
            break

    command = api.call("POST", f"/devices/{device}/commands", {"name": "set", "arguments": {"output": "fan", "value": 1}, "reason": "client.py"})
    while command["state"].lower() in ("queued", "sent", "delivered"):
        time.sleep(0.2)
        command = next(c for c in api.call("GET", f"/devices/{device}/commands") if c["id"] == command["id"])
    print(f"command {command['state']}")

    is_open = [a for a in api.call("GET", "/alerts", limit=100) if a["state"].lower() in ("raised", "escalated")]
    if is_open:
        alert = api.call("POST", f"/alerts/{is_open[0]['id']}/acknowledge")
        print(f"alert {alert['id']} {alert['state']} by {alert['acknowledgedBy']}")


if __name__ == "__main__":
    sys.exit(main())

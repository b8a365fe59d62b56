#!/usr/bin/env python3
"""A device agent in plain Python 3, without any package: the protocol of docs/device-agent.md over HTTP.

usage: agent.py BUS DEVICE SECRET [--type TYPE] [--interval SECONDS] [--once]

It sends a temperature, asks for its commands by requests that wait, obeys them, and tells what it is like.
Nothing needs to reach it: every connection goes outward.
"""
import argparse
import base64
import hashlib
import json
import random
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import OrderedDict
from datetime import datetime, timezone

REMEMBERED_COMMANDS = 64
MAX_PACKAGE_BYTES = 16 << 20
ALLOWED_WHILE_LOCKED = {"unlock", "wipe", "locate", "rotate-credential"}


def now():
    return datetime.now(timezone.utc)


class Bus:
    """The bus by HTTP. A lost connection is made again, with pauses that double, half of each random."""

    def __init__(self, address, device, secret):
        self.address, self.device = address.rstrip("/"), device
        self.use_secret(secret)

    def use_secret(self, secret):
        self.proof = "Basic " + base64.b64encode(f"{self.device}:{secret}".encode()).decode()

    def request(self, method, path, body=None, timeout=15):
        request = urllib.request.Request(f"{self.address}/{path}", method=method, data=None if body is None else json.dumps(body).encode())
        request.add_header("Authorization", self.proof)
        if body is not None:
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.headers, answer.read()

    def send(self, kind, body):
        self.request("POST", f"{kind}/{self.device}", body)


class Agent:
    def __init__(self, bus, kind):
        self.bus, self.kind = bus, kind
        self.software, self.before = "1.0.0", None
        self.network, self.locked, self.wiped = "factory", False, False
        self.outputs, self.capabilities = {}, {}
        self.desired_version, self.desired_seen = 0, None
        self.answered = OrderedDict()

    def report(self):
        self.bus.send("reported", {
            "version": self.desired_version,
            "values": {
                "software": self.software, "network": self.network, "locked": self.locked, "wiped": self.wiped,
                "outputs": self.outputs, "capabilities": self.capabilities,
            },
            "time": now().isoformat(),
        })

    def take(self, command):
        """Obeys a command, and answers; one that comes again is answered as before and not done again."""
        ack = self.answered.get(command["id"])
        if ack is None:
            due = now() < datetime.fromisoformat(command["expires"].replace("Z", "+00:00"))
            outcome, detail, result = self.obey(command) if due else ("Expired", "it came too late", None)
            ack = {"id": command["id"], "outcome": outcome, "time": now().isoformat()}
            if detail is not None:
                ack["detail"] = detail
            if result is not None:
                ack["result"] = result
            self.answered[command["id"]] = ack
            while len(self.answered) > REMEMBERED_COMMANDS:
                self.answered.popitem(last=False)
            if outcome == "Done":
                self.report()
        self.bus.send("acks", ack)

    def obey(self, command):
        name, arguments = command["name"], command.get("arguments") or {}
        if self.locked and name not in ALLOWED_WHILE_LOCKED:
            return "Refused", "the device is locked", None
        method = getattr(self, "on_" + name.replace("-", "_"), None)
        if method is None:
            return "Refused", "the device does not know this command", None
        return method(arguments)

    def on_set(self, arguments):
        output, value = arguments.get("output"), arguments.get("value")
        if not isinstance(output, str) or not isinstance(value, (int, float)):
            return "Refused", "'output' and 'value' are needed", None
        if len(self.outputs) >= 32 and output not in self.outputs:
            return "Refused", "the device has no such output", None
        if self.capabilities.get(output) is False:
            return "Refused", f"'{output}' is disabled", None
        self.outputs[output] = value
        return "Done", None, None

    def on_reboot(self, arguments):
        return "Done", None, None

    def on_lock(self, arguments):
        self.locked = True
        return "Done", None, None

    def on_unlock(self, arguments):
        self.locked = False
        return "Done", None, None

    def on_wipe(self, arguments):
        self.wiped, self.network = True, "factory"
        self.outputs.clear()
        self.capabilities.clear()
        return "Done", None, None

    def on_locate(self, arguments):
        return "Done", None, {"latitude": 48.137, "longitude": 11.575}

    def on_rotate_credential(self, arguments):
        if not arguments.get("secret"):
            return "Refused", "'secret' is needed", None
        self.bus.use_secret(arguments["secret"])
        return "Done", None, None

    def on_network(self, arguments):
        profile = arguments.get("profile")
        if not profile:
            return "Refused", "'profile' is needed", None
        before, self.network = self.network, profile
        if "unreachable" not in profile:
            return "Done", None, None
        time.sleep(min(600.0, max(0.0, float(arguments.get("confirmWithinSeconds", 60)))))
        self.network = before
        self.report()
        return "Failed", f"the bus was not reached with '{profile}'; back to '{before}'", None

    def on_update(self, arguments):
        for key in ("type", "version", "url", "sha256", "signature"):
            if not arguments.get(key):
                return "Refused", f"'{key}' is missing", None
        if arguments["type"] != self.kind:
            return "Refused", f"the package is for '{arguments['type']}'", None
        # Python has no ECDSA of its own: this agent says so, where one that can check would go on.
        return "Refused", "the device takes no updates", None

    def on_rollback(self, arguments):
        if self.before is None:
            return "Failed", "there is no version before", None
        self.software, self.before = self.before, None
        return "Done", None, None

    def apply(self, desired):
        if desired["version"] <= self.desired_version or self.locked:
            return
        self.desired_version = desired["version"]
        for name, value in desired["values"].items():
            if name.startswith("capabilities.") and isinstance(value, bool):
                self.capabilities[name[len("capabilities."):]] = value
            elif name.startswith("outputs.") and isinstance(value, (int, float)) and not isinstance(value, bool):
                self.outputs[name[len("outputs."):]] = value
        self.report()

    def listen(self):
        done, pause = None, 0.5
        while True:
            try:
                status, _, body = self.bus.request("GET", f"desired/{self.bus.device}")
                if status == 200 and hashlib.sha256(body).digest() != self.desired_seen:
                    self.desired_seen = hashlib.sha256(body).digest()
                    self.apply(json.loads(body))
                path = f"commands/{self.bus.device}?wait=30" + (f"&ack={urllib.parse.quote(done)}" if done else "")
                status, headers, body = self.bus.request("GET", path, timeout=60)
                done = None
                if status == 200:
                    self.take(json.loads(body))
                    done = headers["Command-Id"]
                pause = 0.5
            except (urllib.error.URLError, OSError, ValueError, KeyError) as problem:
                print(f"the bus: {problem}", file=sys.stderr)
                time.sleep(pause / 2 + random.random() * pause / 2)
                pause = min(60.0, pause * 2)


def main():
    parser = argparse.ArgumentParser(description="A device of the reference architecture.")
    parser.add_argument("bus")
    parser.add_argument("device")
    parser.add_argument("secret")
    parser.add_argument("--type", default="pi")
    parser.add_argument("--interval", type=float, default=10.0)
    parser.add_argument("--once", action="store_true", help="send one reading and end")
    given = parser.parse_args()
    agent = Agent(Bus(given.bus, given.device, given.secret), given.type)
    if not given.once:
        agent.report()
        threading.Thread(target=agent.listen, daemon=True).start()
    while True:
        try:
            agent.bus.send("t", {"time": time.time(), "temperature": round(40 + random.gauss(0, 0.3), 3)})
        except (urllib.error.URLError, OSError) as problem:
            print(f"the bus: {problem}", file=sys.stderr)
        if given.once:
            return
        time.sleep(given.interval)


if __name__ == "__main__":
    main()

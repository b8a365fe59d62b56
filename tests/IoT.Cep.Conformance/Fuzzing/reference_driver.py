"""Reads cases as JSON, one a line, runs the reference over them, and writes what it gives, one a line."""
import json
import sys

sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
import reference  # noqa: E402

MAX_RUNS = 400
MAX_MATCHES = 2000


class TooMuch(Exception):
    pass


class Bounded(reference.RunsMatcher):
    def emit(self):
        if len(self.runs) > MAX_RUNS or len(self.done) + len(self.matches) > MAX_MATCHES:
            raise TooMuch()
        super().emit()


def answer(case):
    try:
        result = Bounded(case).result()
    except reference.SkipError as error:
        return {"error": str(error)}
    except TooMuch:
        return {"skipped": "too many runs"}
    except Exception as error:  # a case that the reference can't run says nothing
        return {"skipped": "%s: %s" % (type(error).__name__, error)}
    return {
        "matches": [{"ids": ids, "bindings": bindings} for ids, bindings in result["matches"]],
        "timeouts": [{"ids": ids, "ts": ts} for ids, ts in result["timeouts"]],
        "live": result["live"],
    }


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)

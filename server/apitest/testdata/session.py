# What the Python sessions share: the steps, the values saved on the way, the checks.
import json
import re
import time

saved = {}


def fill(value):
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+)\}", lambda m: saved[m.group(1)], value)
    if isinstance(value, list):
        return [fill(v) for v in value]
    if isinstance(value, dict):
        return {k: fill(v) for k, v in value.items()}
    return value


def at(value, path):
    for part in path.split("."):
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def text(value):
    return "true" if value is True else "false" if value is False else str(value)


def run(path, known, do):
    """do(service, op, input) returns (output, error code)."""
    for n, step in enumerate(json.load(open(path))):
        service, op = step.get("service", "cloudtrail"), step["op"]
        name = "%d %s" % (n + 1, op)
        # What an operation that was skipped would have made is not there either.
        needs = re.findall(r"\$\{(\w+)\}", json.dumps(step["in"])) + ([step["needs"]] if "needs" in step else [])
        if not known(service, op) or any(n not in saved for n in needs):
            print("skip", name, flush=True)
            continue
        until, code = step.get("until"), step.get("code", "")
        deadline = time.time() + 60
        while True:
            out, got = do(service, op, fill(step["in"]))
            have = at(out, until["path"]) if until and not got else None
            if not until or got or have is not None and until["is"] in ("*", text(have)) or time.time() > deadline:
                break
            time.sleep(0.1)
        if got != code:
            print("not ok %s: got %r, want %r: %s" % (name, got, code, out), flush=True)
            continue
        if until and (have is None or until["is"] not in ("*", text(have))):
            print("not ok %s: %s is %r, want %r" % (name, until["path"], have, until["is"]), flush=True)
            continue
        for k, p in step.get("save", {}).items():
            saved[k] = at(out, p)
            if k == "store":
                saved["storeid"] = saved[k].split("/")[-1]
        print("ok", name, flush=True)

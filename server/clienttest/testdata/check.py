"""What the Python clients' scripts share: a check prints one line, "ok NAME" or "not ok NAME: why"."""
import os
import sys
import traceback

HOST = os.environ.get("PGHOST", "127.0.0.1")
PORT = int(os.environ["PGPORT"])
USER = os.environ["PGUSER"]
PASSWORD = os.environ.get("PGPASSWORD", "")
EVENTS = 1000  # that the store called events has
NAMES = ("GetObject", "PutObject", "ListBuckets", "AssumeRole")


def equal(got, want):
    if got != want:
        raise AssertionError("got %r, want %r" % (got, want))


def check(name, f):
    try:
        f()
        print("ok " + name)
    except Exception as e:  # every client has errors of its own
        if os.environ.get("VERBOSE"):
            traceback.print_exc(file=sys.stderr)
        print("not ok %s: %s: %s" % (name, type(e).__name__, str(e).replace("\n", " ")))
    sys.stdout.flush()

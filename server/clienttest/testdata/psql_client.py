"""psql: its backslash commands from a file, and in a terminal what needs one."""
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time

from check import EVENTS, check, equal

HERE = os.path.dirname(os.path.abspath(__file__))
PSQL = ["psql", "-X", "-v", "ON_ERROR_STOP=1"]
TMP = tempfile.mkdtemp()


def psql(text, *more):
    """Runs commands and returns what they print; an error is one here, too."""
    r = subprocess.run(PSQL + ["-At"] + list(more), input=text, capture_output=True, text=True, timeout=60)
    if r.returncode != 0:
        raise AssertionError(r.stderr)
    return r.stdout


def each_command():
    """Runs every line of meta.psql in one session; a mark before each tells whose answer is whose."""
    lines = [l for l in open(HERE + "/meta.psql").read().split("\n") if l]
    script = "".join("\\echo @@%d\n\\warn @@%d\n%s\n" % (i, i, l) for i, l in enumerate(lines))
    r = subprocess.run(["psql", "-X"], input=script, capture_output=True, text=True, timeout=120)
    split = lambda text: {int(p[: p.index("\n")]): p[p.index("\n") + 1:] for p in text.split("@@")[1:]}
    out, err = split(r.stdout), split(r.stderr)
    for i, line in enumerate(lines):
        def one():
            complaints = [l for l in err.get(i, "no answer").split("\n") if l and not l.startswith("Did not find any")]
            if complaints:
                raise AssertionError(" ".join(complaints))
            want = MUST.get(line)
            if want and want not in out[i]:
                raise AssertionError("no %r in %r" % (want, out[i]))
        check(line, one)


MUST = {
    "\\d": "events", "\\dt": "events", "\\d events": "eventtime", "\\d+ events": "timestamp with time zone",
    "\\l": "cairn", "\\dn": "public", "\\du": "admin", "\\df lower": "lower", "\\echo :n": str(EVENTS),
    "SELECT 'SELECT 1' AS q \\gexec": "(1 row)", "\\dT *.text": "text", "\\encoding": "UTF8", "\\d pg_class": "relname",
}


class Terminal:
    """psql in a terminal."""

    def __init__(self, *args):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="dumb", PAGER="cat", PSQL_HISTORY=os.devnull, INPUTRC=os.devnull)
            os.execvp("psql", ["psql", "-X"] + list(args))
        self.seen = ""
        self.until("=#|=>")

    def until(self, pattern, seconds=30):
        """Reads until a pattern comes, and returns what was before it and itself."""
        end = time.time() + seconds
        while True:
            m = re.search(pattern, self.seen)
            if m:
                got, self.seen = self.seen[: m.end()], self.seen[m.end():]
                return got
            if time.time() > end or not select.select([self.fd], [], [], max(0, end - time.time()))[0]:
                raise AssertionError("no %r in %r" % (pattern, self.seen))
            try:
                self.seen += os.read(self.fd, 65536).decode("utf-8", "replace")
            except OSError:
                raise AssertionError("psql has ended: %r" % self.seen)

    def send(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        try:
            self.send("\x15\\q\n")
            time.sleep(0.1)
        except OSError:
            pass
        os.close(self.fd)
        try:
            os.kill(self.pid, signal.SIGHUP)
        except ProcessLookupError:
            pass
        os.waitpid(self.pid, 0)


def in_terminal(f):
    def run():
        t = Terminal()
        try:
            f(t)
        finally:
            t.end()
    return run


SLOW = "SELECT count(*) FROM events a, events b, events c WHERE a.eventID || b.eventID || c.eventID LIKE '%none%';\n"


def ctrl_c(t):
    t.send(SLOW)
    time.sleep(1)
    t.send("\x03")
    t.until("canceling statement due to user request")
    t.send("SELECT 40 + 2 AS answer;\n")
    t.until("42")


def watch(t):
    t.send("SELECT count(*) AS n FROM events \\watch 0.2\n")
    for _ in range(3):
        t.until(r"\b%d\b" % EVENTS)
    t.send("\x03")
    t.until("=#|=>")
    t.send("SELECT 40 + 2 AS answer;\n")
    t.until("42")


def completes(t):
    t.send("SELECT count(*) FROM eve\t")
    t.until("FROM events")
    t.send(" WHERE eventsou\t")
    t.until("eventsource")
    t.send("\x15")
    t.send("\\d eve\t")
    t.until("d events")
    t.send("\x15")
    t.send("SHOW timezo\t")
    t.until("(?i)timezone")


def password(t):
    t.send("\\conninfo\n")
    t.until("database \"cairn\"")


def fetch_count():
    out = psql("\\set FETCH_COUNT 100\nSELECT eventID FROM events;\n")
    equal(len(set(out.split())), EVENTS)


def fetch_count_in_transaction():
    out = psql("\\set FETCH_COUNT 7\nBEGIN;\nSELECT eventID FROM events;\nCOMMIT;\n", "-q")
    equal(len(set(out.split())), EVENTS)


RECORD = ('{"eventVersion":"1.08","eventTime":"2026-02-01T00:00:0%dZ","eventID":"10000000-0000-4000-8000-0000000%05d",'
          '"eventSource":"iam.amazonaws.com","eventName":"CreateRole","awsRegion":"us-east-1",'
          '"requestParameters":{"text":"a \\"quoted\\" word, a \\\\ back\\u0073lash\\n and a tab\\t|"}}')
COUNT = iter(range(0, 10000, 10))


def written(lines, escape=lambda l: l):
    """A file of records that no store has seen."""
    path = os.path.join(TMP, "records")
    base = next(COUNT)
    records = [RECORD % (i % 10, base + i) for i in range(lines)]
    with open(path, "w") as f:
        f.write("".join(escape(r) + "\n" for r in records))
    return path, records


def stored(records):
    out = psql("COPY (SELECT eventJson FROM taken) TO STDOUT (FORMAT json);\n")
    missing = [r for r in records if r not in out.split("\n")]
    if missing:
        raise AssertionError("not stored as it was: %r" % missing[0])


def copy_in(options, escape=lambda l: l):
    def run():
        path, records = written(5, escape)
        equal(psql("\\copy taken FROM '%s' %s\n" % (path, options)).strip(), "COPY 5")
        stored(records)
    return run


def csv(line):
    return '"' + line.replace('"', '""') + '"'


def text(line):
    return line.replace("\\", "\\\\")


def copy_in_stdin():
    path, records = written(5)
    with open(path) as f:
        r = subprocess.run(PSQL + ["-c", "\\copy taken FROM pstdin"], stdin=f, capture_output=True, text=True, timeout=60)
    equal((r.returncode, r.stdout.strip()), (0, "COPY 5"))
    stored(records)


def copy_round(options):
    """What goes out in a format comes in again in it, and is the same."""
    def run():
        path, records = written(5)
        psql("\\copy taken FROM '%s'\n" % path)
        ids = ", ".join("'" + re.search('"eventID":"([^"]*)"', r).group(1) + "'" for r in records)
        out = os.path.join(TMP, "out")
        equal(psql("\\copy (SELECT eventJson FROM taken WHERE eventID IN (%s)) TO '%s' %s\n" % (ids, out, options)).strip(), "COPY 5")
        r = subprocess.run(PSQL + ["-c", "\\copy taken FROM '%s' %s" % (out, options)], capture_output=True, text=True, timeout=60)
        equal((r.returncode, r.stdout.strip(), "5 duplicates" in r.stderr), (0, "COPY 0", True))
    return run


def copy_out():
    out = os.path.join(TMP, "out")
    psql("\\copy (SELECT eventName, count(*) AS n FROM events GROUP BY 1 ORDER BY 1) TO '%s' (FORMAT csv, HEADER)\n" % out)
    equal(open(out).read().split("\n")[:2], ["eventname,n", "AssumeRole,%d" % (EVENTS // 4)])


def copy_whole():
    out = psql("\\copy events TO stdout\n")
    equal(len(out.strip().split("\n")), EVENTS)


def bad_records():
    path, _ = written(2, lambda l: "this is no JSON")
    r = subprocess.run(PSQL + ["-c", "\\copy taken FROM '%s'" % path], capture_output=True, text=True, timeout=60)
    equal((r.returncode, r.stdout.strip(), "2 refused" in r.stderr), (0, "COPY 0", True))


def error_place():
    r = subprocess.run(PSQL, input="SELECT eventName,\n  nothing FROM events;\n", capture_output=True, text=True, timeout=60)
    equal(("LINE 2:   nothing FROM events;" in r.stderr, "^" in r.stderr), (True, True))


def immutable():
    r = subprocess.run(PSQL + ["-v", "VERBOSITY=verbose"], input="DELETE FROM events;\n", capture_output=True, text=True, timeout=60)
    equal(("25006" in r.stderr, "immutable" in r.stderr), (True, True))


def channel_binding():
    out = psql("SELECT 1;\n", "-d", "dbname=cairn sslmode=require channel_binding=require")
    equal(out.strip(), "1")


def no_tls():
    equal(psql("SELECT 1;\n", "-d", "dbname=cairn sslmode=disable").strip(), "1")


def wrong_password():
    r = subprocess.run(PSQL + ["-c", "SELECT 1"], capture_output=True, text=True, timeout=60, env=dict(os.environ, PGPASSWORD="not it"))
    equal((r.returncode, "authentication failed" in r.stderr), (2, True))


def single_transaction():
    equal(psql("SELECT count(*) FROM events;\nSELECT 1;\n", "-1").split(), [str(EVENTS), "1"])


def variables():
    equal(psql("\\set name GetObject\nSELECT count(*) FROM events WHERE eventName = :'name';\nSELECT 1 AS a, 2 AS b \\gset\n\\echo :a :b\n").split(), [str(EVENTS // 4), "1", "2"])


def notifications(t):
    t.send("LISTEN \"taken WHERE eventName = 'CreateRole'\";\n")
    t.until("LISTEN")
    t.until("=#|=>")
    path, _ = written(1)
    psql("\\copy taken FROM '%s'\n" % path)
    t.send("SELECT 1;\n")
    time.sleep(0.5)
    t.send("SELECT 1;\n")
    t.until("Asynchronous notification .*CreateRole")


def main():
    print("version " + subprocess.run(["psql", "--version"], capture_output=True, text=True).stdout.split()[2])
    check("SCRAM with channel binding", channel_binding)
    check("without TLS", no_tls)
    check("a wrong password", wrong_password)
    each_command()
    check("FETCH_COUNT", fetch_count)
    check("FETCH_COUNT in a transaction", fetch_count_in_transaction)
    check("-1, a single transaction", single_transaction)
    check("variables", variables)
    check("error with line and place", error_place)
    check("DELETE is refused", immutable)
    check("\\copy of JSON lines in", copy_in(""))
    check("\\copy of JSON lines from stdin", copy_in_stdin)
    check("\\copy in, FORMAT json", copy_in("(FORMAT json)"))
    check("\\copy in, text with escapes", copy_in("", text))
    check("\\copy in, csv", copy_in("(FORMAT csv)", csv))
    check("\\copy in of what is no JSON", bad_records)
    for options in ("", "csv", "(FORMAT json)", "(FORMAT binary)"):
        check("\\copy out and in again" + (", " + options if options else ""), copy_round(options))
    check("\\copy of a query out, csv with header", copy_out)
    check("\\copy of a store out", copy_whole)
    check("Ctrl-C", in_terminal(ctrl_c))
    check("\\watch until Ctrl-C", in_terminal(watch))
    check("completion with the Tab key", in_terminal(completes))
    check("LISTEN", in_terminal(notifications))


if __name__ == "__main__":
    main()

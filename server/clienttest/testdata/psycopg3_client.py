import datetime

import psycopg
from check import EVENTS, HOST, NAMES, PASSWORD, PORT, USER, check, equal
from psycopg.types import TypeInfo

print("version " + psycopg.__version__)
conn = psycopg.connect(host=HOST, port=PORT, user=USER, password=PASSWORD, dbname="cairn", autocommit=True)


def one(text, args=None, **kw):
    return conn.execute(text, args, **kw).fetchone()


START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
check("simple query", lambda: equal(one("SELECT count(*) FROM events"), (EVENTS,)))
check("parameters", lambda: equal(one("SELECT count(*) FROM events WHERE eventName = %s AND eventTime >= %s", (NAMES[0], START)), (EVENTS // 4,)))
check("binary parameters", lambda: equal(one("SELECT count(*) FROM events WHERE eventName = %b AND eventTime >= %b", (NAMES[0], START)), (EVENTS // 4,)))
check("integer parameters", lambda: equal(one("SELECT %s::bigint + %b", (1, 300)), (301,)))
check("list parameter", lambda: equal(one("SELECT count(*) FROM events WHERE eventName = ANY(%s)", (list(NAMES[:2]),)), (EVENTS // 2,)))


def types(binary):
    with conn.cursor(binary=binary) as c:
        c.execute("SELECT eventTime, readOnly, userIdentity, eventName, 1::bigint, 1.5::double precision, NULL FROM events ORDER BY eventTime LIMIT 1")
        row = c.fetchone()
    equal(row[0], START)
    equal(row[1], True)
    equal(row[2]["type"], "IAMUser")
    equal(row[3:], (NAMES[0], 1, 1.5, None))


check("types in text", lambda: types(False))
check("types in binary", lambda: types(True))


def prepared():
    for _ in range(10):
        equal(one("SELECT count(*) FROM events WHERE eventName = %s", (NAMES[1],), prepare=True), (EVENTS // 4,))


check("prepared statement", prepared)


def server_cursor():
    with conn.transaction():
        with conn.cursor(name="pages") as c:
            c.itersize = 100
            c.execute("SELECT eventID FROM events")
            equal(len(set(r[0] for r in c)), EVENTS)


check("server-side cursor", server_cursor)


def stream():
    with conn.cursor() as c:
        equal(sum(1 for _ in c.stream("SELECT eventID FROM events")), EVENTS)


check("streamed rows", stream)


def copy_out():
    with conn.cursor() as c, c.copy("COPY (SELECT eventID FROM events) TO STDOUT") as out:
        equal(sum(1 for _ in out.rows()), EVENTS)


check("copy out", copy_out)


def copy_out_binary():
    with conn.cursor() as c, c.copy("COPY (SELECT eventID, eventTime, readOnly FROM events) TO STDOUT (FORMAT binary)") as out:
        out.set_types(["text", "timestamptz", "bool"])
        rows = list(out.rows())
    equal(len(rows), EVENTS)
    equal(min(r[1] for r in rows), START)


check("copy out in binary", copy_out_binary)
check("whole rows as JSON", lambda: equal(one("SELECT json_agg(t) FROM (SELECT eventName, readOnly FROM events ORDER BY eventTime LIMIT 1) t")[0][0]["readonly"], True))


def pipeline():
    with conn.pipeline():
        cursors = [conn.execute("SELECT count(*) FROM events WHERE eventName = %s", (n,)) for n in NAMES]
        equal([c.fetchone()[0] for c in cursors], [EVENTS // 4] * 4)


check("pipeline", pipeline)


def error():
    try:
        one("SELECT nothing FROM events")
    except psycopg.errors.UndefinedColumn as e:
        equal(e.diag.statement_position, "8")
        return
    raise AssertionError("no error")


check("error with code and position", error)
check("type look-up", lambda: equal(TypeInfo.fetch(conn, "jsonb").oid, 3802))
check("unknown type look-up", lambda: equal(TypeInfo.fetch(conn, "hstore"), None))
conn.close()

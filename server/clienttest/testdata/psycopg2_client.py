import datetime

import psycopg2
import psycopg2.extras
import psycopg2.errors
from check import EVENTS, HOST, NAMES, PASSWORD, PORT, USER, check, equal

print("version " + psycopg2.__version__)
conn = psycopg2.connect(host=HOST, port=PORT, user=USER, password=PASSWORD, dbname="cairn")
conn.autocommit = True


def one(text, args=None):
    with conn.cursor() as c:
        c.execute(text, args)
        return c.fetchone()


check("simple query", lambda: equal(one("SELECT count(*) FROM events"), (EVENTS,)))
check("parameters", lambda: equal(one("SELECT count(*) FROM events WHERE eventName = %s AND eventTime >= %s",
      (NAMES[0], datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc))), (EVENTS // 4,)))
check("list parameter", lambda: equal(one("SELECT count(*) FROM events WHERE eventName = ANY(%s)", (list(NAMES[:2]),)), (EVENTS // 2,)))
check("tuple parameter", lambda: equal(one("SELECT count(*) FROM events WHERE eventName IN %s", (NAMES[:2],)), (EVENTS // 2,)))


def types():
    row = one("SELECT eventTime, readOnly, userIdentity, eventName, 1::bigint, 1.5::double precision, NULL FROM events ORDER BY eventTime LIMIT 1")
    equal(row[0], datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc))
    equal(row[1], True)
    equal(row[2]["type"], "IAMUser")
    equal(row[3:], (NAMES[0], 1, 1.5, None))


check("types", types)


def server_cursor():
    conn.autocommit = False
    with conn.cursor(name="pages") as c:
        c.itersize = 100
        c.execute("SELECT eventID FROM events")
        equal(len(set(r[0] for r in c)), EVENTS)
    conn.commit()
    conn.autocommit = True


check("server-side cursor", server_cursor)


def snapshot():
    conn.set_session(isolation_level="REPEATABLE READ", readonly=True)
    conn.autocommit = False
    a = one("SELECT count(*) FROM events")
    equal(one("SELECT count(*) FROM events"), a)
    conn.rollback()
    conn.autocommit = True


check("transaction", snapshot)


def error():
    try:
        one("SELECT nothing FROM events")
    except psycopg2.errors.UndefinedColumn as e:
        equal(e.pgcode, "42703")
        equal(int(e.diag.statement_position), 8)
        return
    raise AssertionError("no error")


check("error with code and position", error)


def refused():
    try:
        one("DELETE FROM events")
    except psycopg2.Error as e:
        equal(e.pgcode in ("25006", "42501"), True)
        return
    raise AssertionError("no error")


check("write refused", refused)


def copy_out():
    import io
    out = io.StringIO()
    with conn.cursor() as c:
        c.copy_expert("COPY (SELECT eventID, eventName FROM events) TO STDOUT WITH (FORMAT csv, HEADER)", out)
    equal(len(out.getvalue().splitlines()), EVENTS + 1)


check("copy out", copy_out)


def dict_rows():
    with conn.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as c:
        c.execute("SELECT eventName, count(*) AS n FROM events GROUP BY 1 ORDER BY 1")
        equal(dict(c.fetchone())["n"], EVENTS // 4)


check("dictionary rows", dict_rows)
check("hstore look-up", lambda: equal(psycopg2.extras.HstoreAdapter.get_oids(conn), ((), ())))
conn.close()

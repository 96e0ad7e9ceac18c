import datetime

import pyodbc
from check import EVENTS, HOST, NAMES, PASSWORD, PORT, USER, check, equal

print("version " + pyodbc.version)
conn = pyodbc.connect("DRIVER={PostgreSQL Unicode};SERVER=%s;PORT=%d;DATABASE=cairn;UID=%s;PWD=%s;UseServerSidePrepare=1" % (HOST, PORT, USER, PASSWORD),
                      autocommit=True)
cur = conn.cursor()


def one(text, *args):
    return tuple(cur.execute(text, *args).fetchone())


check("query", lambda: equal(one("SELECT count(*) FROM events"), (EVENTS,)))
check("parameters", lambda: equal(one("SELECT count(*) FROM events WHERE eventName = ?", NAMES[0]), (EVENTS // 4,)))
check("time parameter", lambda: equal(one("SELECT count(*) FROM events WHERE eventTime >= ?", datetime.datetime(2026, 1, 1)), (EVENTS,)))
check("tables", lambda: equal("events" in [r.table_name for r in cur.tables(schema="public", tableType="TABLE")], True))
check("columns", lambda: equal("eventname" in [r.column_name.lower() for r in cur.columns(table="events")], True))
check("primary keys", lambda: equal(list(cur.primaryKeys("events")), []))
check("foreign keys", lambda: equal(list(cur.foreignKeys("events")), []))
check("statistics", lambda: list(cur.statistics("events")))
check("special columns", lambda: list(cur.rowIdColumns("events")))
check("procedures", lambda: list(cur.procedures()))
check("type info", lambda: equal(len(list(cur.getTypeInfo())) > 5, True))
check("data source", lambda: equal(conn.getinfo(pyodbc.SQL_DBMS_NAME), "PostgreSQL"))
check("many rows", lambda: equal(len(cur.execute("SELECT eventID, eventTime, readOnly, userIdentity FROM events").fetchall()), EVENTS))


def transaction():
    conn.autocommit = False
    equal(one("SELECT count(*) FROM events"), (EVENTS,))
    conn.rollback()
    conn.autocommit = True


check("transaction", transaction)

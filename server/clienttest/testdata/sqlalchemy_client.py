import datetime

import sqlalchemy as sa
from check import EVENTS, HOST, NAMES, PASSWORD, PORT, USER, check, equal

print("version " + sa.__version__)
engine = sa.create_engine(sa.engine.URL.create("postgresql+psycopg2", USER, PASSWORD, HOST, PORT, "cairn"))
inspector = sa.inspect(engine)


def connects():
    with engine.connect() as c:
        equal(c.execute(sa.text("SELECT count(*) FROM events")).scalar(), EVENTS)


check("query", connects)
check("schemas", lambda: equal(sorted(inspector.get_schema_names()), ["information_schema", "public"]))
check("default schema", lambda: equal(inspector.default_schema_name, "public"))
check("tables", lambda: equal("events" in inspector.get_table_names(), True))
check("has table", lambda: equal((inspector.has_table("events"), inspector.has_table("nothing")), (True, False)))
views = inspector.get_view_names()
check("views", lambda: equal([v for v in views if "_per_" not in v], []))
check("columns of a view", lambda: equal([c["name"].lower() for c in inspector.get_columns("errors_per_day")], ["day", "account", "errorcode", "errors"]))


def columns():
    found = {c["name"].lower(): str(c["type"]) for c in inspector.get_columns("events")}
    equal(found["eventtime"], "TIMESTAMP")
    equal(found["readonly"], "BOOLEAN")
    equal(found["useridentity"], "JSONB")
    equal(found["eventname"] in ("TEXT", "VARCHAR"), True)


check("columns", columns)
check("primary key", lambda: equal(inspector.get_pk_constraint("events")["constrained_columns"], []))
check("foreign keys", lambda: equal(inspector.get_foreign_keys("events"), []))
check("indexes", lambda: equal(inspector.get_indexes("events"), []))
check("unique constraints", lambda: equal(inspector.get_unique_constraints("events"), []))
check("check constraints", lambda: equal(inspector.get_check_constraints("events"), []))
check("comment", lambda: inspector.get_table_comment("events"))
check("sequences", lambda: equal(inspector.get_sequence_names() if hasattr(inspector, "get_sequence_names") else [], []))


def reflection():
    meta = sa.MetaData()
    t = sa.Table("events", meta, autoload_with=engine)
    by = {c.name.lower(): c for c in t.columns}
    query = (sa.select(by["eventname"], sa.func.count().label("n"))
             .where(by["eventtime"] >= datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc))
             .group_by(by["eventname"]).order_by(sa.desc("n"), by["eventname"]).limit(2))
    with engine.connect() as c:
        equal([tuple(r) for r in c.execute(query)], [("AssumeRole", EVENTS // 4), ("GetObject", EVENTS // 4)])


check("reflected table", reflection)


def everything():
    meta = sa.MetaData()
    meta.reflect(bind=engine)
    equal("events" in meta.tables, True)


check("reflection of all tables", everything)


def stream():
    with engine.connect().execution_options(stream_results=True, max_row_buffer=100) as c:
        equal(sum(1 for _ in c.execute(sa.text("SELECT eventID FROM events"))), EVENTS)


check("streamed result", stream)


def orm():
    from sqlalchemy.orm import Session
    try:
        from sqlalchemy.ext.automap import automap_base
    except ImportError:
        return
    with Session(engine) as s:
        equal(s.execute(sa.text("SELECT eventName FROM events ORDER BY eventTime LIMIT 1")).scalar(), NAMES[0])


check("session", orm)
check("isolation level", lambda: equal(engine.connect().get_isolation_level() != "", True))

import asyncio
import datetime

import asyncpg
from check import EVENTS, HOST, NAMES, PASSWORD, PORT, USER, check, equal

print("version " + asyncpg.__version__)
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
loop = asyncio.new_event_loop()
run = loop.run_until_complete
conn = run(asyncpg.connect(host=HOST, port=PORT, user=USER, password=PASSWORD, database="cairn"))

check("query", lambda: equal(run(conn.fetchval("SELECT count(*) FROM events")), EVENTS))
check("parameters", lambda: equal(run(conn.fetchval(
    "SELECT count(*) FROM events WHERE eventName = $1 AND eventTime >= $2", NAMES[0], START)), EVENTS // 4))


def types():
    row = run(conn.fetchrow("SELECT eventTime, readOnly, userIdentity, eventName, 1::bigint, 1.5::double precision, NULL FROM events ORDER BY eventTime LIMIT 1"))
    equal(row[0], START)
    equal(row[1], True)
    equal("IAMUser" in row[2], True)
    equal(tuple(row)[3:], (NAMES[0], 1, 1.5, None))


check("types in binary", types)


async def page():
    seen = 0
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        async for _ in conn.cursor("SELECT eventID FROM events", prefetch=100):
            seen += 1
    equal(seen, EVENTS)


check("cursor in a transaction", lambda: run(page()))


async def prepared():
    st = await conn.prepare("SELECT eventName, count(*) FROM events WHERE readOnly = $1 GROUP BY 1")
    equal([a.name.lower() for a in st.get_attributes()], ["eventname", "count"])
    equal(st.get_parameters()[0].name, "bool")
    equal(len(await st.fetch(True)), 2)


check("prepared statement", lambda: run(prepared()))


async def error():
    try:
        await conn.fetch("SELECT nothing FROM events")
    except asyncpg.UndefinedColumnError as e:
        equal(e.position, "8")
        return
    raise AssertionError("no error")


check("error with code and position", lambda: run(error()))


async def copy_out():
    import io
    out = io.BytesIO()
    await conn.copy_from_query("SELECT eventID FROM events", output=out)
    equal(len(out.getvalue().splitlines()), EVENTS)


check("copy out", lambda: run(copy_out()))


async def codec():
    import json
    await conn.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
    equal((await conn.fetchval("SELECT userIdentity FROM events LIMIT 1"))["type"], "IAMUser")


check("codec by type name", lambda: run(codec()))


async def arrays():
    equal(await conn.fetchval("SELECT count(*) FROM events WHERE eventName = ANY($1::text[])", list(NAMES[:2])), EVENTS // 2)


check("array parameter", lambda: run(arrays()))
check("reset", lambda: run(conn.reset()))


async def cancelled():
    try:
        await conn.fetch("SELECT count(*) FROM events a CROSS JOIN events b CROSS JOIN events c WHERE a.eventID || b.eventID || c.eventID LIKE '%no%such%'", timeout=0.3)
    except asyncio.TimeoutError:
        equal(await conn.fetchval("SELECT 1"), 1)
        return
    raise AssertionError("not cancelled")


check("cancellation", lambda: run(cancelled()))
run(conn.close())

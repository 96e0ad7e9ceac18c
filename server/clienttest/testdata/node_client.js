'use strict'
// node-postgres with its cursors.
const pg = require('pg')
const Cursor = require('pg-cursor')
const EVENTS = 1000
const cfg = { host: '127.0.0.1', port: +process.env.PGPORT, user: process.env.PGUSER, password: process.env.PGPASSWORD, database: 'cairn' }
const equal = (got, want) => {
  if (JSON.stringify(got) !== JSON.stringify(want)) throw new Error('got ' + JSON.stringify(got) + ', want ' + JSON.stringify(want))
}
async function check (name, f) {
  try {
    await f()
    console.log('ok ' + name)
  } catch (e) {
    console.log('not ok ' + name + ': ' + String(e).replace(/\n/g, ' '))
  }
}
async function main () {
  console.log('version ' + require('pg/package.json').version)
  const c = new pg.Client(cfg)
  await c.connect()
  await check('query', async () => equal((await c.query('SELECT count(*) AS n FROM events')).rows, [{ n: String(EVENTS) }]))
  await check('parameters', async () => equal((await c.query('SELECT count(*) AS n FROM events WHERE eventName = $1 AND eventTime >= $2',
    ['GetObject', new Date('2026-01-01T00:00:00Z')])).rows[0].n, String(EVENTS / 4)))
  await check('types', async () => {
    const r = (await c.query('SELECT eventTime AS t, readOnly AS r, userIdentity AS u, eventName AS e, 1.5::float8 AS f, NULL AS n FROM events ORDER BY eventTime LIMIT 1')).rows[0]
    equal([r.t.toISOString(), r.r, r.u.type, r.e, r.f, r.n], ['2026-01-01T00:00:00.000Z', true, 'IAMUser', 'GetObject', 1.5, null])
  })
  await check('named prepared statement', async () => {
    for (let i = 0; i < 5; i++) {
      equal((await c.query({ name: 'by-name', text: 'SELECT count(*) AS n FROM events WHERE eventName = $1', values: ['PutObject'] })).rows[0].n, String(EVENTS / 4))
    }
  })
  await check('cursor', async () => {
    const cursor = c.query(new Cursor('SELECT eventID FROM events WHERE eventName <> $1', ['none']))
    let n = 0
    for (;;) {
      const rows = await cursor.read(100)
      if (rows.length === 0) break
      n += rows.length
    }
    await cursor.close()
    equal(n, EVENTS)
  })
  await check('cursor closed early', async () => {
    const cursor = c.query(new Cursor('SELECT eventID FROM events'))
    equal((await cursor.read(10)).length, 10)
    await cursor.close()
    equal((await c.query('SELECT 1 AS x')).rows, [{ x: 1 }])
  })
  await check('several statements', async () => equal((await c.query('SELECT 1 AS a; SELECT 2 AS b')).map(r => r.rows[0]), [{ a: 1 }, { b: 2 }]))
  await check('array parameter', async () => equal((await c.query('SELECT count(*) AS n FROM events WHERE eventName = ANY($1)', [['GetObject', 'PutObject']])).rows[0].n, String(EVENTS / 2)))
  await check('transaction', async () => {
    await c.query('BEGIN')
    await c.query('SELECT count(*) FROM events')
    await c.query('ROLLBACK')
  })
  await check('error with code and position', async () => {
    try {
      await c.query('SELECT nothing FROM events')
    } catch (e) {
      equal([e.code, e.position], ['42703', '8'])
      return
    }
    throw new Error('no error')
  })
  await c.end()
  await check('pool', async () => {
    const pool = new pg.Pool({ ...cfg, max: 4 })
    const all = await Promise.all(Array.from({ length: 20 }, () => pool.query('SELECT count(*) AS n FROM events')))
    equal(all.every(r => r.rows[0].n === String(EVENTS)), true)
    await pool.end()
  })
}
main().catch(e => { console.log('not ok connection: ' + e); process.exit(1) })

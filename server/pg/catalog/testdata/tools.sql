-- Questions in the manner of database tools that look for what has changed: by the system columns.
SELECT c.relname, c.xmin AS state, age(c.xmin) AS since, c.ctid, tableoid::regclass FROM pg_catalog.pg_class c WHERE c.relnamespace = 2200::oid AND age(c.xmin) <= coalesce(nullif(greatest(age('7'::varchar::xid), -1), -1), 2147483647) ORDER BY c.oid
;;
SELECT a.attnum, a.attname, a.xmin, a.attislocal, pg_get_expr(d.adbin, a.attrelid) FROM pg_attribute a LEFT JOIN pg_attrdef d ON (a.attrelid, a.attnum) = (d.adrelid, d.adnum) WHERE a.attrelid = @events@ AND a.attnum > 0 ORDER BY a.attnum
;;
SELECT n.nspname, n.xmin, pg_get_userbyid(n.nspowner) FROM pg_namespace n ORDER BY CASE WHEN nspname = current_schema() THEN -1::bigint ELSE n.oid::bigint END
;;
-- Who waits for whom.
SELECT pid, state, wait_event_type || ': ' || wait_event, array_to_string(pg_blocking_pids(pid), ', ') FROM pg_stat_activity ORDER BY pid
;;
-- The types of arrays are found by the function that receives them.
SELECT t.oid, CASE WHEN p.proname = 'array_recv' THEN 'a' ELSE t.typtype END AS kind, e.typname FROM pg_type t LEFT JOIN pg_proc p ON p.oid = t.typreceive LEFT JOIN pg_type e ON e.oid = t.typelem LEFT JOIN pg_range r ON r.rngtypid = t.oid WHERE t.typtype IN ('b', 'r') ORDER BY 1
;;
-- A filter by time as dashboards write it.
SELECT count(*) FROM events WHERE eventtime >= to_timestamp('2026-01-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US')
;;

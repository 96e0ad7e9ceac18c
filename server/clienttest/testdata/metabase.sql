What a dashboard program asks over JDBC: the driver's own metadata queries are in the checks of JDBC.

-- connection => 1
SELECT 1
-- version => 15
SHOW server_version
-- zone of reports
SET SESSION TIMEZONE TO 'UTC'
-- current database, schema and user => cairn
SELECT current_database(), current_schema(), current_user
-- schemas that can be used => public
SELECT nspname FROM pg_namespace WHERE has_schema_privilege(nspname, 'USAGE') AND nspname !~ '^pg_' AND nspname <> 'information_schema'
-- tables with their kinds, sizes and comments => events
SELECT n.nspname AS schema, c.relname AS name, CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'PARTITIONED TABLE' WHEN 'v' THEN 'VIEW' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE NULL END AS type,
  d.description AS description, NULLIF(stat.n_live_tup, 0) AS estimated_row_count
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
LEFT JOIN pg_catalog.pg_description AS d ON c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
LEFT JOIN pg_stat_user_tables AS stat ON n.nspname = stat.schemaname AND c.relname = stat.relname
WHERE c.relnamespace = n.oid AND n.nspname !~ '^information_schema|catalog_history|pg_' AND c.relkind IN ('r', 'p', 'v', 'f', 'm') AND n.nspname IN ('public')
ORDER BY type ASC, schema ASC, name ASC
-- fields => eventtime
SELECT c.column_name AS name, c.udt_name AS "database-type", c.ordinal_position - 1 AS "database-position", c.table_schema AS "table-schema", c.table_name AS "table-name",
  pk.column_name IS NOT NULL AS "pk?", col_description(CAST(CAST(format('%I.%I', CAST(c.table_schema AS text), CAST(c.table_name AS text)) AS regclass) AS oid), c.ordinal_position) AS "field-comment",
  ((c.column_default IS NULL OR lower(c.column_default) = 'null') AND c.is_nullable = 'NO' AND NOT ((c.column_default IS NOT NULL AND c.column_default LIKE '%nextval(%') OR c.is_identity <> 'NO')) AS "database-required",
  ((c.column_default IS NOT NULL AND c.column_default LIKE '%nextval(%') OR c.is_identity <> 'NO') AS "database-is-auto-increment"
FROM information_schema.columns AS c
LEFT JOIN (SELECT tc.table_schema, tc.table_name, kc.column_name FROM information_schema.table_constraints AS tc
  INNER JOIN information_schema.key_column_usage AS kc ON tc.constraint_name = kc.constraint_name AND tc.table_schema = kc.table_schema AND tc.table_name = kc.table_name
  WHERE tc.constraint_type = 'PRIMARY KEY') AS pk ON c.table_schema = pk.table_schema AND c.table_name = pk.table_name AND c.column_name = pk.column_name
WHERE c.table_schema !~ '^information_schema|catalog_history|pg_' AND c.table_schema IN ('public')
UNION ALL
SELECT pa.attname AS name, CASE WHEN ptn.nspname IN ('public', 'pg_catalog') THEN format('%s', pt.typname) ELSE format('"%s"."%s"', ptn.nspname, pt.typname) END AS "database-type", pa.attnum - 1 AS "database-position",
  pn.nspname AS "table-schema", pc.relname AS "table-name", false AS "pk?", NULL AS "field-comment", false AS "database-required", false AS "database-is-auto-increment"
FROM pg_catalog.pg_class AS pc
INNER JOIN pg_catalog.pg_namespace AS pn ON pn.oid = pc.relnamespace
INNER JOIN pg_catalog.pg_attribute AS pa ON pa.attrelid = pc.oid
INNER JOIN pg_catalog.pg_type AS pt ON pt.oid = pa.atttypid
INNER JOIN pg_catalog.pg_namespace AS ptn ON ptn.oid = pt.typnamespace
WHERE pc.relkind = 'm' AND pa.attnum >= 1 AND pn.nspname IN ('public')
ORDER BY "table-schema", "table-name", "database-position"
-- foreign keys
SELECT fk_ns.nspname AS "fk-table-schema", fk_table.relname AS "fk-table-name", fk_column.attname AS "fk-column-name", pk_ns.nspname AS "pk-table-schema", pk_table.relname AS "pk-table-name", pk_column.attname AS "pk-column-name"
FROM pg_constraint AS c
INNER JOIN pg_class AS fk_table ON c.conrelid = fk_table.oid
INNER JOIN pg_namespace AS fk_ns ON c.connamespace = fk_ns.oid
INNER JOIN pg_attribute AS fk_column ON c.conrelid = fk_column.attrelid
INNER JOIN pg_class AS pk_table ON c.confrelid = pk_table.oid
INNER JOIN pg_namespace AS pk_ns ON pk_table.relnamespace = pk_ns.oid
INNER JOIN pg_attribute AS pk_column ON c.confrelid = pk_column.attrelid
WHERE fk_ns.nspname !~ '^information_schema|catalog_history|pg_' AND c.contype = 'f'::char AND fk_column.attnum = ANY(c.conkey) AND pk_column.attnum = ANY(c.confkey) AND fk_ns.nspname IN ('public')
ORDER BY fk_ns.nspname, fk_table.relname
-- indexes
SELECT tmp."table-schema", tmp."table-name", trim(BOTH '"' FROM pg_catalog.pg_get_indexdef(tmp.ci_oid, tmp.pos, false)) AS "field-name"
FROM (SELECT n.nspname AS "table-schema", ct.relname AS "table-name", ci.oid AS ci_oid, (information_schema._pg_expandarray(i.indkey)).n AS pos
  FROM pg_catalog.pg_class AS ct
  INNER JOIN pg_catalog.pg_namespace AS n ON ct.relnamespace = n.oid
  INNER JOIN pg_catalog.pg_index AS i ON ct.oid = i.indrelid
  INNER JOIN pg_catalog.pg_class AS ci ON ci.oid = i.indexrelid
  WHERE pg_catalog.pg_get_expr(i.indpred, i.indrelid) IS NULL AND n.nspname !~ '^information_schema|catalog_history|pg_') AS tmp
WHERE tmp.pos = 1
-- enumerated types
SELECT nspname, typname FROM pg_type t LEFT JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid IN (SELECT DISTINCT enumtypid FROM pg_enum e)
-- privileges by table => events
WITH table_privileges AS (
  SELECT NULL AS role, t.schemaname AS schema, t.objectname AS table,
    pg_catalog.has_any_column_privilege(current_user, '"' || replace(t.schemaname, '"', '""') || '"' || '.' || '"' || replace(t.objectname, '"', '""') || '"', 'update') AS update,
    pg_catalog.has_any_column_privilege(current_user, '"' || replace(t.schemaname, '"', '""') || '"' || '.' || '"' || replace(t.objectname, '"', '""') || '"', 'select') AS select,
    pg_catalog.has_any_column_privilege(current_user, '"' || replace(t.schemaname, '"', '""') || '"' || '.' || '"' || replace(t.objectname, '"', '""') || '"', 'insert') AS insert,
    pg_catalog.has_table_privilege(current_user, '"' || replace(t.schemaname, '"', '""') || '"' || '.' || '"' || replace(t.objectname, '"', '""') || '"', 'delete') AS delete
  FROM (SELECT schemaname, tablename AS objectname FROM pg_catalog.pg_tables
    UNION SELECT schemaname, viewname AS objectname FROM pg_catalog.pg_views
    UNION SELECT schemaname, matviewname AS objectname FROM pg_catalog.pg_matviews) t
  WHERE t.schemaname !~ '^pg_' AND t.schemaname <> 'information_schema' AND pg_catalog.has_schema_privilege(current_user, t.schemaname, 'usage'))
SELECT t.* FROM table_privileges t
-- sample of a table => GetObject
SELECT "public"."events"."eventtime" AS "eventtime", "public"."events"."eventname" AS "eventname", "public"."events"."readonly" AS "readonly" FROM "public"."events" LIMIT 10000
-- fingerprint of texts => eventname
SELECT substring("public"."events"."eventname", 1, 1234) AS "substring1", 'eventname' AS field FROM "public"."events" LIMIT 10
-- distinct values of a field => AssumeRole
SELECT "public"."events"."eventname" AS "eventname" FROM "public"."events" GROUP BY "public"."events"."eventname" ORDER BY "public"."events"."eventname" ASC LIMIT 5000
-- events by day => 1000
SELECT CAST("public"."events"."eventtime" AS date) AS "eventtime", COUNT(*) AS "count" FROM "public"."events" GROUP BY CAST("public"."events"."eventtime" AS date) ORDER BY CAST("public"."events"."eventtime" AS date) ASC
-- events by month => 1000
SELECT DATE_TRUNC('month', "public"."events"."eventtime") AS "eventtime", COUNT(*) AS "count" FROM "public"."events" GROUP BY DATE_TRUNC('month', "public"."events"."eventtime") ORDER BY DATE_TRUNC('month', "public"."events"."eventtime") ASC
-- events by week, weeks from Sunday => 1000
SELECT (CAST(DATE_TRUNC('week', ("source"."eventtime" + INTERVAL '1 day')) AS timestamp) + INTERVAL '-1 day') AS "week", COUNT(*) AS "count" FROM "public"."events" AS "source" GROUP BY 1 ORDER BY 1
-- events by hour of the day => 60
SELECT CAST(extract(hour from "public"."events"."eventtime") AS integer) AS "eventtime", COUNT(*) AS "count" FROM "public"."events" GROUP BY CAST(extract(hour from "public"."events"."eventtime") AS integer) ORDER BY 1 ASC
-- filter of the last 30 days
SELECT COUNT(*) AS "count" FROM "public"."events" WHERE ("public"."events"."eventtime" >= DATE_TRUNC('day', (NOW() + INTERVAL '-30 day'))) AND ("public"."events"."eventtime" < DATE_TRUNC('day', NOW()))
-- filter by a text without regard to case => 250
SELECT COUNT(*) AS "count" FROM "public"."events" WHERE (LOWER("public"."events"."eventname") LIKE '%putobj%')
-- field of a jsonb column => iamuser
SELECT ("public"."events"."useridentity"#>> array['type']::text[])::text AS "type", count(*) FROM "public"."events" GROUP BY 1
-- question over a question => 250
SELECT "source"."eventname" AS "eventname", SUM("source"."count") AS "sum" FROM (SELECT "public"."events"."eventname" AS "eventname", COUNT(*) AS "count" FROM "public"."events" GROUP BY "public"."events"."eventname" ORDER BY "public"."events"."eventname" ASC) AS "source" GROUP BY "source"."eventname" ORDER BY "source"."eventname" ASC LIMIT 1048575

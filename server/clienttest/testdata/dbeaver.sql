What a desktop program asks when somebody connects, opens the tree of objects, and looks at a table.

-- settings of the session
SET extra_float_digits = 3; SET application_name = 'DBeaver 24 - Main'; SET search_path = public, "$user"
-- version => PostgreSQL
SELECT version()
-- schema and user => admin
SELECT current_schema(), session_user
-- search path => public
SHOW search_path
-- what the catalogue has: enumerations
SELECT 1 FROM pg_catalog.pg_enum WHERE 1 <> 1 LIMIT 1
-- what the catalogue has: types of tables
SELECT reltype FROM pg_catalog.pg_class WHERE 1 <> 1 LIMIT 1
-- what the catalogue has: categories of types
SELECT typcategory FROM pg_catalog.pg_type WHERE 1 <> 1 LIMIT 1
-- what the catalogue has: row security
SELECT relrowsecurity FROM pg_catalog.pg_class WHERE 1 <> 1 LIMIT 1
-- setting of strings => on
SELECT setting FROM pg_catalog.pg_settings WHERE name = 'standard_conforming_strings'
-- databases => cairn
SELECT db.oid, db.*, pg_catalog.shobj_description(db.oid, 'pg_database') AS remarks, pg_catalog.pg_encoding_to_char(db.encoding) AS enc FROM pg_catalog.pg_database db WHERE datallowconn AND NOT datistemplate ORDER BY db.datname
-- size of the database
SELECT pg_catalog.pg_database_size('cairn')
-- schemas => public
SELECT n.oid, n.*, d.description FROM pg_catalog.pg_namespace n LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = n.oid AND d.objsubid = 0 AND d.classoid = 'pg_namespace'::regclass ORDER BY nspname
-- types => timestamptz
SELECT t.oid, t.*, c.relkind, format_type(nullif(t.typbasetype, 0), t.typtypmod) AS base_type_name, d.description
FROM pg_catalog.pg_type t
LEFT OUTER JOIN pg_catalog.pg_type et ON et.oid = t.typelem
LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
LEFT OUTER JOIN pg_catalog.pg_description d ON t.oid = d.objoid
WHERE t.typname IS NOT NULL AND (c.relkind IS NULL OR c.relkind = 'c') AND (et.typcategory IS NULL OR et.typcategory <> 'C')
-- access methods
SELECT am.oid, am.* FROM pg_catalog.pg_am am ORDER BY am.oid
-- collations
SELECT c.oid, c.* FROM pg_catalog.pg_collation c ORDER BY c.oid
-- encodings
SELECT c.contoencoding AS encid, pg_catalog.pg_encoding_to_char(c.contoencoding) AS encname FROM pg_catalog.pg_conversion c GROUP BY c.contoencoding ORDER BY 2
-- languages
SELECT l.oid, l.* FROM pg_catalog.pg_language l ORDER BY l.oid
-- extensions
SELECT e.oid, cfg.tbls, n.nspname AS schema_name, e.*, pg_catalog.obj_description(e.oid, 'pg_extension') AS description FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
LEFT JOIN (SELECT ARRAY_AGG(ns.nspname || '.' || cls.relname) tbls, ext.oid AS oid FROM pg_catalog.pg_class cls
  JOIN pg_catalog.pg_namespace ns ON ns.oid = cls.relnamespace JOIN pg_catalog.pg_extension ext ON cls.oid = ANY(ext.extconfig) GROUP BY ext.oid) cfg ON cfg.oid = e.oid ORDER BY e.oid
-- roles => admin
SELECT a.oid, a.*, pd.description FROM pg_catalog.pg_roles a LEFT JOIN pg_catalog.pg_shdescription pd ON a.oid = pd.objoid ORDER BY a.rolname
-- members of roles
SELECT m.*, r.rolname FROM pg_catalog.pg_auth_members m, pg_catalog.pg_roles r WHERE r.oid = m.roleid
-- tablespaces
SELECT t.oid, t.*, pg_tablespace_location(t.oid) loc FROM pg_catalog.pg_tablespace t ORDER BY t.oid
-- settings by database and role
SELECT * FROM pg_catalog.pg_db_role_setting WHERE setdatabase = 5 OR setdatabase = 0
-- foreign data wrappers
SELECT l.oid, l.*, p.proname AS handler_proc_name, n.nspname AS handler_schema_name FROM pg_catalog.pg_foreign_data_wrapper l
LEFT OUTER JOIN pg_catalog.pg_proc p ON p.oid = l.fdwhandler LEFT OUTER JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace ORDER BY l.fdwname
-- event triggers
SELECT pet.*, pg_catalog.obj_description(pet.oid, 'pg_event_trigger') AS description FROM pg_catalog.pg_event_trigger pet
-- tables of a schema => events
SELECT c.oid, c.*, d.description, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS partition_expr, pg_catalog.pg_get_partkeydef(c.oid) AS partition_key
FROM pg_catalog.pg_class c
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
WHERE c.relnamespace = @public@ AND c.relkind NOT IN ('i', 'I', 'c')
-- sizes of tables => events
SELECT c.oid, c.relname, pg_catalog.pg_total_relation_size(c.oid) AS total_rel_size, pg_catalog.pg_relation_size(c.oid) AS rel_size FROM pg_catalog.pg_class c WHERE c.relnamespace = @public@ AND c.relkind IN ('r', 'm')
-- columns of a table => eventtime
SELECT c.relname, a.*, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) AS def_value, dsc.description, dep.objid
FROM pg_catalog.pg_attribute a
INNER JOIN pg_catalog.pg_class c ON (a.attrelid = c.oid)
LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid = ad.adrelid AND a.attnum = ad.adnum)
LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid AND a.attnum = dsc.objsubid)
LEFT OUTER JOIN pg_depend dep ON dep.refobjid = a.attrelid AND dep.deptype = 'i' AND dep.refobjsubid = a.attnum AND dep.classid = dep.refclassid
WHERE NOT a.attisdropped AND c.relkind NOT IN ('i', 'I', 'c') AND c.oid = @events@ ORDER BY a.attnum
-- constraints of a schema
SELECT c.oid, c.*, t.relname AS tabrelname, rt.relnamespace AS refnamespace, d.description, CASE WHEN c.contype = 'c' THEN "substring"(pg_get_constraintdef(c.oid), 7) ELSE NULL END consrc_copy
FROM pg_catalog.pg_constraint c
INNER JOIN pg_catalog.pg_class t ON t.oid = c.conrelid
LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid = c.confrelid
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_constraint'::regclass
WHERE t.relnamespace = @public@ ORDER BY c.oid
-- indexes of a schema
SELECT i.*, i.indkey AS keys, c.relname, c.relnamespace, c.relam, c.reltablespace, tc.relname AS tabrelname, dsc.description, pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS pred_expr,
  pg_catalog.pg_get_expr(i.indexprs, i.indrelid, true) AS expr, pg_catalog.pg_relation_size(i.indexrelid) AS index_rel_size, pg_catalog.pg_stat_get_numscans(i.indexrelid) AS index_num_scans
FROM pg_catalog.pg_index i
INNER JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
INNER JOIN pg_catalog.pg_class tc ON tc.oid = i.indrelid
LEFT OUTER JOIN pg_catalog.pg_description dsc ON i.indexrelid = dsc.objoid
WHERE i.indrelid = @events@ ORDER BY tabrelname, c.relname
-- parents and children
SELECT i.*, c.relnamespace FROM pg_catalog.pg_inherits i, pg_catalog.pg_class c WHERE i.inhrelid = @events@ AND c.oid = i.inhparent ORDER BY i.inhseqno
-- triggers
SELECT x.oid, x.*, p.pronamespace AS func_schema_id, d.description FROM pg_catalog.pg_trigger x
LEFT OUTER JOIN pg_catalog.pg_proc p ON p.oid = x.tgfoid LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = x.oid AND d.objsubid = 0 WHERE x.tgrelid = @events@ AND NOT x.tgisinternal
-- rules
SELECT r.oid, r.* FROM pg_catalog.pg_rewrite r WHERE r.ev_class = @events@
-- policies
SELECT pol.polname, pol.polpermissive, pg_catalog.pg_get_expr(pol.polqual, pol.polrelid) FROM pg_catalog.pg_policy pol WHERE pol.polrelid = @events@
-- functions => lower
SELECT p.oid AS poid, p.*, pg_catalog.pg_get_expr(p.proargdefaults, 0) AS arg_defaults, d.description FROM pg_catalog.pg_proc p
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = p.oid AND d.objsubid = 0 LEFT JOIN pg_depend dep ON dep.objid = p.oid AND dep.deptype = 'e' WHERE p.proname = 'lower' ORDER BY p.proname
-- operators and aggregates
SELECT p.oid AS proc_oid, p.*, a.* FROM pg_catalog.pg_aggregate a, pg_catalog.pg_proc p WHERE p.oid = a.aggfnoid AND p.pronamespace = @public@
-- sequences
SELECT c.oid, c.relname, s.* FROM pg_catalog.pg_sequence s JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid WHERE c.relnamespace = @public@
-- dependencies
SELECT dep.deptype, dep.classid, dep.objid, cl.relkind, attr.attname FROM pg_catalog.pg_depend dep
LEFT JOIN pg_catalog.pg_class cl ON dep.objid = cl.oid LEFT JOIN pg_catalog.pg_attribute attr ON dep.objid = attr.attrelid AND dep.objsubid = attr.attnum WHERE dep.refobjid = @events@
-- privileges on a table => admin
SELECT * FROM information_schema.table_privileges WHERE table_schema = 'public' AND table_name = 'events'
-- sessions => cairn
SELECT sa.* FROM pg_catalog.pg_stat_activity sa
-- locks
SELECT coalesce(blockingl.relation::regclass::text, blockingl.locktype) AS locked_item, blockeda.pid FROM pg_catalog.pg_locks blockedl
JOIN pg_stat_activity blockeda ON blockedl.pid = blockeda.pid JOIN pg_catalog.pg_locks blockingl ON blockingl.locktype = blockedl.locktype AND blockedl.pid <> blockingl.pid WHERE NOT blockedl.granted
-- search for a name => events
SELECT x.oid, x.relname, x.relnamespace, x.relkind FROM pg_catalog.pg_class x WHERE x.relkind IN ('r', 'v', 'm', 'f', 'p') AND x.relname ILIKE '%event%' AND x.relnamespace IN (@public@) ORDER BY x.relname LIMIT 100
-- search for a column => eventname
SELECT x.attname, x.attrelid, c.relnamespace FROM pg_catalog.pg_attribute x, pg_catalog.pg_class c WHERE c.oid = x.attrelid AND x.attnum > 0 AND x.attname ILIKE '%eventnam%' AND c.relnamespace IN (@public@) ORDER BY x.attname LIMIT 100
-- rows of a table => GetObject
SELECT x.* FROM public.events x LIMIT 200
-- rows, filtered and ordered => PutObject
SELECT x.* FROM public.events x WHERE x.eventname = 'PutObject' ORDER BY x.eventtime DESC LIMIT 200
-- number of rows => 1000
SELECT count(*) FROM public.events x
-- number of rows of a query => 250
SELECT count(*) FROM (SELECT * FROM public.events WHERE eventname = 'GetObject') dbvrcnt
-- values to filter by => AssumeRole
SELECT "eventname", count("eventname") AS cnt FROM public.events x GROUP BY "eventname" ORDER BY cnt DESC LIMIT 500
-- plan => Aggregate
EXPLAIN SELECT count(*) FROM public.events WHERE eventname = 'GetObject'

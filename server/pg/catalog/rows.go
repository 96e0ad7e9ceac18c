package catalog

import (
	"context"
	"slices"
	"strings"

	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/plan"
)

// fillers have the rows of the tables that are not empty.
var fillers map[string]filler

func init() {
	fillers = map[string]filler{
		"pg_catalog.pg_namespace":  fixed(pgNamespace),
		"pg_catalog.pg_class":      pgClass,
		"pg_catalog.pg_attribute":  pgAttribute,
		"pg_catalog.pg_type":       fixed(pgType),
		"pg_catalog.pg_proc":       fixed(pgProc),
		"pg_catalog.pg_aggregate":  fixed(pgAggregate),
		"pg_catalog.pg_database":   pgDatabase,
		"pg_catalog.pg_roles":      pgRoles,
		"pg_catalog.pg_authid":     pgRoles,
		"pg_catalog.pg_user":       pgUser,
		"pg_catalog.pg_settings":   pgSettings,
		"pg_catalog.pg_tables":     pgTables,
		"pg_catalog.pg_views":      pgViews,
		"pg_catalog.pg_am":         fixed(func() []row { return []row{{"oid": heapOID, "amname": "heap", "amtype": "t"}} }),
		"pg_catalog.pg_tablespace": fixed(func() []row { return []row{{"oid": tablespaceOID, "spcname": "pg_default", "spcowner": ownerOID}} }),
		"pg_catalog.pg_language": fixed(func() []row {
			return []row{{"oid": languageOID, "lanname": "internal", "lanowner": ownerOID}}
		}),
		"pg_catalog.pg_collation": fixed(func() []row {
			return []row{
				{"oid": defaultCollate, "collname": "default", "collnamespace": pgCatalogOID, "collowner": ownerOID, "collprovider": "d", "collisdeterministic": true, "collencoding": -1},
				{"oid": 950, "collname": "C", "collnamespace": pgCatalogOID, "collowner": ownerOID, "collprovider": "c", "collisdeterministic": true, "collencoding": -1, "collcollate": "C", "collctype": "C"},
			}
		}),
		"pg_catalog.pg_description":      pgDescription,
		"pg_catalog.pg_shdescription":    fixed(func() []row { return []row{{"objoid": databaseOID, "classoid": 1262, "description": "the lake"}} }),
		"pg_catalog.pg_stat_activity":    pgStatActivity,
		"pg_catalog.pg_stat_user_tables": pgStatUserTables,
		"pg_catalog.pg_stat_all_tables":  pgStatUserTables,
		"pg_catalog.pg_stat_database": fixed(func() []row {
			return []row{{"datid": databaseOID, "datname": Database}}
		}),
		"pg_catalog.pg_timezone_names": fixed(func() []row {
			return []row{{"name": "UTC", "abbrev": "UTC", "is_dst": false}}
		}),
		"pg_catalog.pg_get_keywords()": fixed(func() []row {
			var out []row
			for _, w := range fn.Keywords() {
				out = append(out, row{"word": w, "catcode": "R", "catdesc": "reserved", "barelabel": false})
			}
			slices.SortFunc(out, func(a, b row) int { return strings.Compare(a["word"].(string), b["word"].(string)) })
			return out
		}),
		"information_schema.information_schema_catalog_name": fixed(func() []row { return []row{{"catalog_name": Database}} }),
		"information_schema.schemata":                        fixed(infoSchemata),
		"information_schema.tables":                          infoTables,
		"information_schema.columns":                         infoColumns,
		"information_schema.views":                           infoViews,
		"information_schema.routines":                        fixed(infoRoutines),
		"information_schema.enabled_roles":                   infoRoles,
		"information_schema.table_privileges":                infoTablePrivileges,
		"information_schema.role_table_grants":               infoTablePrivileges,
		"information_schema.column_privileges":               infoColumnPrivileges,
		"information_schema.role_column_grants":              infoColumnPrivileges,
		"information_schema.character_sets": fixed(func() []row {
			return []row{{"character_set_name": "UTF8", "character_repertoire": "UCS", "form_of_use": "UTF8", "default_collate_catalog": Database}}
		}),
	}
}

// fixed is a filler whose rows are the same for everybody.
func fixed(f func() []row) filler {
	return func(context.Context, *Catalog) ([]row, error) { return f(), nil }
}

func pgNamespace() []row {
	return []row{
		{"oid": pgCatalogOID, "nspname": "pg_catalog", "nspowner": ownerOID},
		{"oid": publicOID, "nspname": "public", "nspowner": ownerOID},
		{"oid": infoSchemaOID, "nspname": "information_schema", "nspowner": ownerOID},
	}
}

// relation is a table of either sort.
type relation struct {
	oid    int64
	schema string
	name   string
	kind   string
	rows   int64
	attrs  []attribute
}

// attribute is a column as clients are told of it.
type attribute struct {
	name    string
	typ     fn.PostgresType
	mod     int64
	notNull bool
	num     int64
}

// relations returns the stores, then the catalogue's own tables.
func (c *Catalog) relations(ctx context.Context) ([]relation, error) {
	stores, err := c.all(ctx)
	if err != nil {
		return nil, err
	}
	var out []relation
	for _, s := range stores {
		kind := "r"
		if s.view {
			kind = "v"
		}
		out = append(out, relation{s.oid, "public", s.name, kind, s.rows, attributes(s.cols)})
	}
	for _, d := range definitions().list {
		r := relation{oid: d.oid, schema: d.schema, name: d.table, kind: d.kind}
		for i, col := range d.cols {
			if !col.Hidden {
				r.attrs = append(r.attrs, attribute{col.Name, d.types[i], -1, d.kind == "r" && i == 0, int64(i + 1)})
			}
		}
		out = append(out, r)
	}
	return out, nil
}

func attributes(cols []plan.Column) []attribute {
	out := make([]attribute, len(cols))
	for i, c := range cols {
		t, _ := fn.PostgresTypeByOID(fn.PostgresOID(c.Type))
		out[i] = attribute{c.Name, t, fn.PostgresMod(c.Type), false, int64(i + 1)}
	}
	return out
}

func pgClass(ctx context.Context, c *Catalog) ([]row, error) {
	list, err := c.relations(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]row, len(list))
	for i, r := range list {
		out[i] = row{
			"oid": r.oid, "relname": r.name, "relnamespace": schemas[r.schema], "relowner": ownerOID, "relkind": r.kind,
			"relnatts": len(r.attrs), "reltuples": float64(r.rows), "relpersistence": "p", "relreplident": "n", "relispopulated": true,
			"relfilenode": r.oid,
		}
		if r.kind == "r" {
			out[i]["relam"] = heapOID
		}
	}
	return out, nil
}

func pgAttribute(ctx context.Context, c *Catalog) ([]row, error) {
	list, err := c.relations(ctx)
	if err != nil {
		return nil, err
	}
	var out []row
	for _, r := range list {
		for _, a := range r.attrs {
			out = append(out, row{
				"attrelid": r.oid, "attname": a.name, "atttypid": a.typ.OID, "attlen": a.typ.Len, "attnum": a.num, "attcacheoff": -1,
				"atttypmod": a.mod, "attnotnull": a.notNull, "attislocal": true, "attstattarget": -1, "attstorage": storage(a.typ),
				"attalign": "i", "attcollation": collation(a.typ), "attbyval": byValue(a.typ),
			})
		}
	}
	return out, nil
}

func storage(t fn.PostgresType) string {
	if t.Len < 0 {
		return "x"
	}
	return "p"
}

func byValue(t fn.PostgresType) bool { return t.Len > 0 && t.Len <= 8 }

func collation(t fn.PostgresType) int64 {
	if t.Category == "S" {
		return defaultCollate
	}
	return 0
}

func pgType() []row {
	var out []row
	for _, t := range fn.PostgresTypes() {
		in := t.Name + "in"
		if t.Category == "A" && t.Elem != 0 && strings.HasPrefix(t.Name, "_") {
			in = "array_in"
		}
		var input int64
		if f := functions().byName[in]; f != nil {
			input = f.oid
		}
		out = append(out, row{
			"oid": t.OID, "typname": t.Name, "typnamespace": pgCatalogOID, "typowner": ownerOID, "typlen": t.Len, "typbyval": byValue(t),
			"typtype": t.Kind, "typcategory": t.Category, "typispreferred": t.Name == "text" || t.Name == "bool" || t.Name == "float8" || t.Name == "timestamptz" || t.Name == "oid",
			"typisdefined": true, "typdelim": ",", "typelem": t.Elem, "typarray": t.Array, "typinput": input, "typalign": "i",
			"typstorage": storage(t), "typtypmod": -1, "typcollation": collation(t),
		})
	}
	return out
}

func pgProc() []row {
	var out []row
	for _, f := range functions().list {
		out = append(out, row{
			"oid": f.oid, "proname": f.name, "pronamespace": pgCatalogOID, "proowner": ownerOID, "prolang": languageOID, "prokind": f.kind,
			"procost": 1, "provolatile": "i", "proparallel": "s", "pronargs": len(f.argOIDs), "prorettype": f.resultOID,
			"proargtypes": f.argOIDs, "prosrc": f.name,
		})
	}
	return out
}

func pgAggregate() []row {
	var out []row
	for _, f := range functions().list {
		if f.kind == "a" {
			out = append(out, row{"aggfnoid": f.oid, "aggkind": "n"})
		}
	}
	return out
}

func pgDatabase(context.Context, *Catalog) ([]row, error) {
	return []row{{
		"oid": databaseOID, "datname": Database, "datdba": ownerOID, "encoding": 6, "datlocprovider": "c", "datallowconn": true,
		"datconnlimit": -1, "dattablespace": tablespaceOID, "datcollate": "C", "datctype": "C.UTF-8",
	}}, nil
}

func pgRoles(_ context.Context, c *Catalog) ([]row, error) {
	var out []row
	for _, r := range c.roles() {
		out = append(out, row{
			"oid": r.oid, "rolname": r.name, "rolsuper": r.super, "rolinherit": true, "rolcreaterole": r.super, "rolcreatedb": false,
			"rolcanlogin": r.name != owner || c.info.User == owner, "rolconnlimit": -1, "rolreplication": false, "rolbypassrls": false,
		})
	}
	return out, nil
}

func pgUser(_ context.Context, c *Catalog) ([]row, error) {
	var out []row
	for _, r := range c.roles() {
		out = append(out, row{"usename": r.name, "usesysid": r.oid, "usecreatedb": false, "usesuper": r.super, "userepl": false, "usebypassrls": false})
	}
	return out, nil
}

func pgSettings(_ context.Context, c *Catalog) ([]row, error) {
	if c.info.Settings == nil {
		return nil, nil
	}
	out := []row{{"name": "max_index_keys", "setting": "32", "category": "Preset Options", "context": "internal", "vartype": "integer", "source": "default"}}
	for _, s := range c.info.Settings.All() {
		if s.Name == "max_index_keys" {
			continue
		}
		out = append(out, row{"name": s.Name, "setting": s.Value, "category": "Client Connection Defaults", "short_desc": s.Description, "context": "user",
			"vartype": "string", "source": "default", "reset_val": s.Value, "boot_val": s.Value, "pending_restart": false})
	}
	return out, nil
}

func pgTables(ctx context.Context, c *Catalog) ([]row, error) {
	list, err := c.relations(ctx)
	if err != nil {
		return nil, err
	}
	var out []row
	for _, r := range list {
		if r.kind == "r" {
			out = append(out, row{"schemaname": r.schema, "tablename": r.name, "tableowner": owner, "hasindexes": false, "hasrules": false, "hastriggers": false, "rowsecurity": false})
		}
	}
	return out, nil
}

func pgViews(ctx context.Context, c *Catalog) ([]row, error) {
	list, err := c.relations(ctx)
	if err != nil {
		return nil, err
	}
	var out []row
	for _, r := range list {
		if r.kind == "v" {
			out = append(out, row{"schemaname": r.schema, "viewname": r.name, "viewowner": owner})
		}
	}
	return out, nil
}

func pgDescription(ctx context.Context, c *Catalog) ([]row, error) {
	stores, err := c.all(ctx)
	if err != nil {
		return nil, err
	}
	out := []row{{"objoid": publicOID, "classoid": 2615, "description": "the event data stores"}}
	for _, s := range stores {
		if s.about != "" {
			out = append(out, row{"objoid": s.oid, "classoid": 1259, "description": s.about})
		}
	}
	for _, f := range functions().list {
		if f.about != "" {
			out = append(out, row{"objoid": f.oid, "classoid": 1255, "description": f.about})
		}
	}
	return out, nil
}

// pgStatActivity shows the session itself: of others nobody is told here.
func pgStatActivity(_ context.Context, c *Catalog) ([]row, error) {
	r := row{"datid": databaseOID, "datname": Database, "pid": c.info.PID, "usename": c.info.User, "application_name": c.info.Application,
		"state": "active", "backend_type": "client backend"}
	for _, role := range c.roles() {
		if role.name == c.info.User {
			r["usesysid"] = role.oid
		}
	}
	return []row{r}, nil
}

func pgStatUserTables(ctx context.Context, c *Catalog) ([]row, error) {
	stores, err := c.all(ctx)
	if err != nil {
		return nil, err
	}
	var out []row
	for _, s := range stores {
		if s.view {
			continue // it has no rows of its own
		}
		out = append(out, row{"relid": s.oid, "schemaname": "public", "relname": s.name, "n_live_tup": max(0, s.rows), "n_dead_tup": 0})
	}
	return out, nil
}

func infoSchemata() []row {
	var out []row
	for _, name := range []string{"information_schema", "pg_catalog", "public"} {
		out = append(out, row{"catalog_name": Database, "schema_name": name, "schema_owner": owner})
	}
	return out
}

func infoTables(ctx context.Context, c *Catalog) ([]row, error) {
	list, err := c.relations(ctx)
	if err != nil {
		return nil, err
	}
	var out []row
	for _, r := range list {
		kind := "BASE TABLE"
		if r.kind == "v" {
			kind = "VIEW"
		}
		out = append(out, row{"table_catalog": Database, "table_schema": r.schema, "table_name": r.name, "table_type": kind,
			"is_insertable_into": "NO", "is_typed": "NO"})
	}
	return out, nil
}

// numericShape are the precision, its base and the scale of a type of numbers.
func numericShape(t fn.PostgresType, mod int64) (precision, radix, scale any) {
	switch t.Name {
	case "int2":
		return 16, 2, 0
	case "int4":
		return 32, 2, 0
	case "int8":
		return 64, 2, 0
	case "float4":
		return 24, 2, nil
	case "float8":
		return 53, 2, nil
	case "numeric":
		if mod >= 4 {
			return (mod - 4) >> 16, 10, (mod - 4) & 0xffff
		}
		return nil, 10, nil
	}
	return nil, nil, nil
}

func infoColumns(ctx context.Context, c *Catalog) ([]row, error) {
	list, err := c.relations(ctx)
	if err != nil {
		return nil, err
	}
	var out []row
	for _, r := range list {
		for _, a := range r.attrs {
			long := a.typ.Long
			if a.typ.Category == "A" && a.typ.Elem != 0 {
				long = "ARRAY"
			}
			precision, radix, scale := numericShape(a.typ, a.mod)
			col := row{
				"table_catalog": Database, "table_schema": r.schema, "table_name": r.name, "column_name": a.name, "ordinal_position": a.num,
				"is_nullable": yesNo(!a.notNull), "data_type": long, "udt_catalog": Database, "udt_schema": "pg_catalog", "udt_name": a.typ.Name,
				"dtd_identifier": a.name, "is_self_referencing": "NO", "is_identity": "NO", "identity_cycle": "NO", "is_generated": "NEVER",
				"is_updatable": "NO", "numeric_precision": precision, "numeric_precision_radix": radix, "numeric_scale": scale,
			}
			if a.typ.Category == "D" {
				col["datetime_precision"] = 6
			}
			if a.typ.Name == "text" {
				col["character_octet_length"] = 1 << 30
			}
			out = append(out, col)
		}
	}
	return out, nil
}

func yesNo(b bool) string {
	if b {
		return "YES"
	}
	return "NO"
}

func infoViews(ctx context.Context, c *Catalog) ([]row, error) {
	list, err := c.relations(ctx)
	if err != nil {
		return nil, err
	}
	var out []row
	for _, r := range list {
		if r.kind == "v" {
			out = append(out, row{"table_catalog": Database, "table_schema": r.schema, "table_name": r.name, "check_option": "NONE", "is_updatable": "NO", "is_insertable_into": "NO"})
		}
	}
	return out, nil
}

func infoRoutines() []row {
	var out []row
	for _, f := range functions().list {
		out = append(out, row{"specific_catalog": Database, "specific_schema": "pg_catalog", "specific_name": f.name, "routine_catalog": Database,
			"routine_schema": "pg_catalog", "routine_name": f.name, "routine_type": "FUNCTION", "data_type": f.result, "routine_body": "EXTERNAL"})
	}
	return out
}

func infoRoles(_ context.Context, c *Catalog) ([]row, error) {
	if c.info.User == "" {
		return nil, nil
	}
	return []row{{"role_name": c.info.User}}, nil
}

func infoTablePrivileges(ctx context.Context, c *Catalog) ([]row, error) {
	stores, err := c.all(ctx)
	if err != nil {
		return nil, err
	}
	var out []row
	for _, s := range stores {
		out = append(out, row{"grantor": owner, "grantee": c.info.User, "table_catalog": Database, "table_schema": "public", "table_name": s.name,
			"privilege_type": "SELECT", "is_grantable": "NO", "with_hierarchy": "NO"})
	}
	return out, nil
}

func infoColumnPrivileges(ctx context.Context, c *Catalog) ([]row, error) {
	stores, err := c.all(ctx)
	if err != nil {
		return nil, err
	}
	var out []row
	for _, s := range stores {
		for _, col := range s.cols {
			out = append(out, row{"grantor": owner, "grantee": c.info.User, "table_catalog": Database, "table_schema": "public", "table_name": s.name,
				"column_name": col.Name, "privilege_type": "SELECT", "is_grantable": "NO"})
		}
	}
	return out, nil
}

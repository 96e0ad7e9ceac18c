package catalog

import (
	"context"
	"strings"

	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// session implements fn.Session.
type session struct{ c *Catalog }

// Name implements fn.Session.
func (s session) Name(what string) string {
	switch what {
	case "user", "session_user":
		return s.c.info.User
	case "database":
		return Database
	case "schema":
		return "public"
	case "version":
		return s.c.info.Version
	}
	return ""
}

// PID implements fn.Session.
func (s session) PID() int64 { return s.c.info.PID }

// Setting implements fn.Session.
func (s session) Setting(name string) (string, bool) {
	if s.c.info.Settings == nil {
		return "", false
	}
	return s.c.info.Settings.Get(name)
}

// Set implements fn.Session.
func (s session) Set(name, value string, local bool) (string, error) {
	if s.c.info.Settings == nil {
		return "", sqlerr.New(sqlerr.UndefinedObject, sqlerr.Pos{}, "unrecognized configuration parameter %q", name)
	}
	return s.c.info.Settings.Set(name, value, local)
}

// split reads a name that may have a schema, with or without quotes.
func split(name string) (schema, last string) {
	var parts []string
	var b strings.Builder
	quoted := false
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == '"' && quoted && i+1 < len(name) && name[i+1] == '"':
			b.WriteByte('"')
			i++
		case c == '"':
			quoted = !quoted
		case c == '.' && !quoted:
			parts = append(parts, b.String())
			b.Reset()
		default:
			b.WriteByte(c)
		}
	}
	if len(parts) > 0 {
		schema = strings.ToLower(parts[len(parts)-1])
	}
	return schema, b.String()
}

var schemas = map[string]int64{"public": publicOID, "pg_catalog": pgCatalogOID, "information_schema": infoSchemaOID}

// OID implements fn.Session.
func (s session) OID(kind, name string) (int64, bool) {
	schema, last := split(strings.TrimSpace(name))
	lower := strings.ToLower(last)
	switch kind {
	case "regclass":
		if schema == "" || schema == "pg_catalog" {
			if d := definitions().byName["pg_catalog."+lower]; d != nil {
				return d.oid, true
			}
		}
		if schema == "information_schema" {
			if d := definitions().byName[schema+"."+lower]; d != nil {
				return d.oid, true
			}
		}
		if schema == "" || schema == "public" {
			stores, err := s.c.all(context.Background())
			if err != nil {
				return 0, false
			}
			for _, st := range stores {
				if strings.EqualFold(st.name, last) {
					return st.oid, true
				}
			}
		}
	case "regtype":
		if t, ok := fn.PostgresTypeByName(name); ok {
			return t.OID, true
		}
	case "regproc", "regprocedure":
		if open := strings.IndexByte(lower, '('); open > 0 {
			lower = lower[:open]
		}
		if f := functions().byName[lower]; f != nil {
			return f.oid, true
		}
	case "regnamespace":
		oid, ok := schemas[lower]
		return oid, ok
	case "regrole":
		for _, r := range s.c.roles() {
			if r.name == last {
				return r.oid, true
			}
		}
	case "regcollation":
		if lower == "default" {
			return defaultCollate, true
		}
	}
	return 0, false
}

// Object implements fn.Session.
func (s session) Object(kind string, oid int64) (string, bool) {
	switch kind {
	case "regclass":
		for _, d := range definitions().list {
			if d.oid == oid {
				if d.schema == "pg_catalog" {
					return d.table, true
				}
				return d.name, true
			}
		}
		stores, err := s.c.all(context.Background())
		if err != nil {
			return "", false
		}
		for _, st := range stores {
			if st.oid == oid {
				return fn.QuoteIdent(st.name), true
			}
		}
	case "regtype":
		if t, ok := fn.PostgresTypeByOID(oid); ok {
			return t.Long, true
		}
	case "regproc":
		if f := functions().byOID[oid]; f != nil {
			return f.name, true
		}
	case "regprocedure":
		if f := functions().byOID[oid]; f != nil {
			return f.name + "(" + f.args + ")", true
		}
	case "regnamespace":
		for name, n := range schemas {
			if n == oid {
				return name, true
			}
		}
	case "regrole":
		for _, r := range s.c.roles() {
			if r.oid == oid {
				return r.name, true
			}
		}
	}
	return "", false
}

// Visible implements fn.Session.
func (s session) Visible(oid int64) bool {
	for _, d := range definitions().list {
		if d.oid == oid {
			return d.schema == "pg_catalog"
		}
	}
	if _, ok := fn.PostgresTypeByOID(oid); ok || functions().byOID[oid] != nil {
		return true
	}
	_, ok := s.Object("regclass", oid)
	return ok
}

// Comment implements fn.Session.
func (s session) Comment(oid, col int64) (string, bool) {
	if col != 0 {
		return "", false
	}
	if f := functions().byOID[oid]; f != nil && f.about != "" {
		return f.about, true
	}
	switch oid {
	case publicOID:
		return "the event data stores", true
	case pgCatalogOID:
		return "system catalog schema", true
	case databaseOID:
		return "the lake", true
	}
	stores, err := s.c.all(context.Background())
	if err != nil {
		return "", false
	}
	for _, st := range stores {
		if st.oid == oid && st.about != "" {
			return st.about, true
		}
	}
	return "", false
}

// Signature implements fn.Session.
func (s session) Signature(oid int64) (args, result string, ok bool) {
	f := functions().byOID[oid]
	if f == nil {
		return "", "", false
	}
	return f.args, f.result, true
}

package server

import (
	"github.com/cairndb/cairn/server/pg"
	"github.com/cairndb/cairn/server/pg/catalog"
	"github.com/cairndb/cairn/sql"
)

// withCatalog puts pg_catalog and information_schema in front of the stores that a
// session sees.
func withCatalog(session pg.Session, stores sql.Catalog) sql.Catalog {
	application, _ := session.Setting("application_name")
	version, _ := session.Setting("server_version")
	return catalog.New(stores, catalog.Info{
		User: session.Principal.Name(), Admin: session.Principal.Admin(), PID: int64(session.ID), Application: application,
		Version: "PostgreSQL " + version, Settings: sessionSettings{session},
	})
}

// sessionSettings implements catalog.Settings.
type sessionSettings struct{ of pg.Session }

// Get implements catalog.Settings.
func (s sessionSettings) Get(name string) (string, bool) { return s.of.Setting(name) }

// Set implements catalog.Settings.
func (s sessionSettings) Set(name, value string, local bool) (string, error) {
	if err := s.of.Set(name, value, local); err != nil {
		return "", err
	}
	value, _ = s.of.Setting(name)
	return value, nil
}

// All implements catalog.Settings.
func (s sessionSettings) All() []catalog.Setting {
	list := s.of.Settings()
	out := make([]catalog.Setting, len(list))
	for i, x := range list {
		out[i] = catalog.Setting{Name: x.Name, Value: x.Value, Description: x.About}
	}
	return out
}

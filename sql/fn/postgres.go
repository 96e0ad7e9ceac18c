package fn

import (
	"strconv"
	"strings"
	"time"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// Session is what the functions of Postgres' catalogue ask about: who is signed in,
// what is set, and which objects there are. It is called from many goroutines.
type Session interface {
	// Name returns a name of the session: "user", "session_user", "database",
	// "schema", "version".
	Name(what string) string
	// PID is the number that the client knows the session by.
	PID() int64
	// Setting returns the value of a setting.
	Setting(name string) (value string, ok bool)
	// Set changes a setting, with local until the end of the transaction, and returns
	// its value.
	Set(name, value string, local bool) (string, error)
	// OID returns the object called name, of the kind that a type such as regclass or
	// regproc names; ok is false when there is none.
	OID(kind, name string) (oid int64, ok bool)
	// Object returns the name of an object as the text of such a type shows it.
	Object(kind string, oid int64) (name string, ok bool)
	// Visible reports whether an object can be named without its schema.
	Visible(oid int64) bool
	// Comment returns what is known about an object, or about one of its columns.
	Comment(oid, column int64) (text string, ok bool)
	// Signature returns the arguments and the result of a function.
	Signature(oid int64) (args, result string, ok bool)
}

// addPostgres adds what only the Postgres dialect has. These functions are not in
// the reference: they are there for what clients send by themselves.
func addPostgres(l *library) {
	addPostgresSession(l)
	addPostgresObjects(l)
	addPostgresArrays(l)
	addPostgresTexts(l)
	addPostgresJSON(l)
	addPostgresJSONEdits(l)
	addPostgresRegexps(l)
	addPostgresPercentiles(l)
	addPostgresMode(l)
	addPostgresTimes(l)
}

// pg registers a function under its names, several with blanks between.
func (l *library) pg(names string, overloads ...overload) {
	for name := range strings.FieldsSeq(names) {
		s := &Scalar{Doc: Doc{Name: name, Family: "postgres"}}
		s.Bind = func(given []*column.Type) (*Bound, error) { return bindOverload(&s.Doc, overloads, given) }
		if l.postgres[name] != nil {
			panic("fn: two Postgres functions called " + name)
		}
		l.postgres[name] = s
	}
}

// session returns the session or the error that there is none.
func session(c *Context) (Session, error) {
	if c.Session == nil {
		return nil, fault(sqlerr.FeatureNotSupported, "this function needs a session of the Postgres protocol")
	}
	return c.Session, nil
}

// pushText appends a text, NULL when ok is false.
func pushText(out *column.Vector, s string, ok bool) {
	if ok {
		pushStr(out, s)
	} else {
		pushNull(out)
	}
}

// asked makes a kernel that asks the session for a text.
func asked(f func(s Session, args []*column.Vector, i int) (string, bool, error)) kernel {
	return emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
		s, err := session(c)
		if err != nil {
			return err
		}
		text, ok, err := f(s, args, i)
		if err != nil {
			return err
		}
		pushText(out, text, ok)
		return nil
	})
}

// constantly makes a kernel that gives the same number or text for all rows.
func constantly[T int64 | string](x T) kernel {
	return func(_ *Context, t *column.Type, _ []*column.Vector, n int) (*column.Vector, error) {
		v := column.New(t, n)
		for i := range n {
			switch x := any(x).(type) {
			case int64:
				v.I64[i] = x
			case string:
				v.Str[i] = x
			}
		}
		return v, nil
	}
}

func nothing(_ *Context, t *column.Type, _ []*column.Vector, n int) (*column.Vector, error) {
	return column.NullConst(t, n), nil
}

func addPostgresSession(l *library) {
	name := func(what string) overload {
		return over("", "varchar", asked(func(s Session, _ []*column.Vector, _ int) (string, bool, error) { return s.Name(what), true, nil }))
	}
	l.pg("version", name("version"))
	l.pg("current_database current_catalog", name("database"))
	l.pg("current_schema", name("schema"))
	l.pg("current_user current_role user", name("user"))
	l.pg("session_user", name("session_user"))
	l.pg("current_schemas", over("boolean", "array(varchar)", emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
		if intAt(args[0], i) != 0 {
			pushStr(out.Children[0], "pg_catalog")
		}
		pushStr(out.Children[0], "public")
		pushEnd(out)
		return nil
	})))
	l.pg("pg_blocking_pids pg_safe_snapshot_blocking_pids", over("bigint", "array(integer)", emit(func(_ *Context, out *column.Vector, _ []*column.Vector, _ int) error {
		pushEnd(out)
		return nil
	})))
	setting := func(missing bool) kernel {
		return asked(func(s Session, args []*column.Vector, i int) (string, bool, error) {
			name := strAt(args[0], i)
			value, ok := s.Setting(name)
			if !ok && (!missing || intAt(args[1], i) == 0) {
				return "", false, fault(sqlerr.UndefinedObject, "unrecognized configuration parameter %q", name)
			}
			return value, ok, nil
		})
	}
	l.pg("current_setting", over("varchar", "varchar", setting(false)).varying(), over("varchar, boolean", "varchar", setting(true)).varying())
	l.pg("set_config", over("varchar, varchar, boolean", "varchar", asked(func(s Session, args []*column.Vector, i int) (string, bool, error) {
		value, err := s.Set(strAt(args[0], i), strAt(args[1], i), intAt(args[2], i) != 0)
		return value, err == nil, err
	})).varying())
	l.pg("pg_backend_pid", over("", "integer", emit(func(c *Context, out *column.Vector, _ []*column.Vector, _ int) error {
		s, err := session(c)
		if err != nil {
			return err
		}
		pushInt(out, s.PID())
		return nil
	})))
	l.pg("pg_is_in_recovery pg_is_wal_replay_paused pg_try_advisory_lock", over("", "boolean", constantly[int64](0)), over("bigint", "boolean", constantly[int64](1)))
	l.pg("pg_postmaster_start_time pg_conf_load_time", over("", "timestamptz(3)", nothing))
	l.pg("clock_timestamp statement_timestamp transaction_timestamp", over("", "timestamptz(3)", now(func(c *Context, out *column.Vector) {
		out.I64[0], out.Zone[0] = c.Now.UnixMicro(), c.Zone
	})))
	sleep := func(seconds func(v *column.Vector, i int) float64) kernel {
		return emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			// Far beyond what a session lives; more than that a time does not hold.
			const most = 1e9
			until := time.Now().Add(time.Duration(min(max(seconds(args[0], i), 0), most) * float64(time.Second)))
			for {
				left := time.Until(until)
				if left <= 0 {
					pushStr(out, "")
					return nil
				}
				time.Sleep(min(left, sleepStep))
				if err := c.live(); err != nil {
					return err
				}
			}
		})
	}
	l.pg("pg_sleep", over("double", "varchar", sleep(dblAt)).varying())
	l.pg("pg_sleep_for", over("intervalday", "varchar", sleep(func(v *column.Vector, i int) float64 { return float64(intAt(v, i)) / microsPerSecond })).varying())
	l.pg("pg_typeof", overBind("any", "varchar", func(args []*column.Type) (*column.Type, kernel, error) {
		name := "unknown"
		if t, ok := PostgresTypeByOID(PostgresOID(args[0])); ok && args[0].Kind != column.Unknown {
			name = t.Long
		}
		return column.VarcharType, constantly(name), nil
	}).nulls())
	count := func(nulls bool) kernel {
		return emitNulls(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
			n := int64(0)
			for _, a := range args {
				if a.IsNull(i) == nulls {
					n++
				}
			}
			pushInt(out, n)
			return nil
		})
	}
	l.pg("num_nulls", over("any...", "integer", count(true)).nulls())
	l.pg("num_nonnulls", over("any...", "integer", count(false)).nulls())
	l.pg("txid_current pg_current_xact_id", over("", "bigint", constantly[int64](1)))
	l.pg("inet_server_addr inet_client_addr pg_current_xact_id_if_assigned pg_advisory_unlock_all pg_listening_channels", over("", "varchar", nothing))
	l.pg("inet_server_port inet_client_port", over("", "integer", nothing))
	l.pg("pg_client_encoding getdatabaseencoding", over("", "varchar", constantly("UTF8")))
	l.pg("pg_encoding_to_char", over("bigint", "varchar", emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
		name := map[int64]string{0: "SQL_ASCII", utf8Encoding: "UTF8"}[intAt(args[0], i)]
		pushStr(out, name)
		return nil
	})))
	l.pg("pg_char_to_encoding", over("varchar", "integer", map1(func(s string) int64 {
		if s = strings.ToUpper(s); s == "UTF8" || s == "UTF-8" || s == "UNICODE" {
			return utf8Encoding
		}
		return -1
	})))
}

// sleepStep is how often a sleeping call looks whether its query has ended.
const sleepStep = 20 * time.Millisecond

// utf8Encoding is Postgres' number of the encoding of all texts.
const utf8Encoding = 6

func addPostgresObjects(l *library) {
	for _, kind := range RegTypes {
		l.pg(kind+"in", over("varchar", "bigint", emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			s, err := session(c)
			if err != nil {
				return err
			}
			oid, err := regIn(s, kind, strAt(args[0], i))
			if err != nil {
				return err
			}
			pushInt(out, oid)
			return nil
		})))
		l.pg(kind+"out", over("bigint", "varchar", asked(func(s Session, args []*column.Vector, i int) (string, bool, error) {
			return regOut(s, kind, intAt(args[0], i)), true, nil
		})))
		l.pg("to_"+kind, over("varchar", "bigint", emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			s, err := session(c)
			if err != nil {
				return err
			}
			if oid, ok := s.OID(kind, strAt(args[0], i)); ok {
				pushInt(out, oid)
			} else {
				pushNull(out)
			}
			return nil
		})))
	}
	format := func(mod func(args []*column.Vector, i int) int64) kernel {
		return emitNulls(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
			if args[0].IsNull(i) {
				pushNull(out)
				return nil
			}
			pushStr(out, FormatPostgresType(intAt(args[0], i), mod(args, i)))
			return nil
		})
	}
	l.pg("format_type", over("bigint, bigint", "varchar", format(func(args []*column.Vector, i int) int64 {
		if args[1].IsNull(i) {
			return -1
		}
		return intAt(args[1], i)
	})).nulls())
	visible := emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
		s, err := session(c)
		if err != nil {
			return err
		}
		pushInt(out, truth(s.Visible(intAt(args[0], i))))
		return nil
	})
	l.pg(`pg_table_is_visible pg_type_is_visible pg_function_is_visible pg_operator_is_visible pg_opclass_is_visible
		pg_opfamily_is_visible pg_collation_is_visible pg_conversion_is_visible pg_ts_config_is_visible
		pg_ts_dict_is_visible pg_ts_parser_is_visible pg_ts_template_is_visible pg_statistics_obj_is_visible`,
		over("bigint", "boolean", visible))
	l.pg("pg_get_userbyid", over("bigint", "varchar", asked(func(s Session, args []*column.Vector, i int) (string, bool, error) {
		oid := intAt(args[0], i)
		name, ok := s.Object("regrole", oid)
		if !ok {
			name = "unknown (OID=" + strconv.FormatInt(oid, 10) + ")"
		}
		return name, true, nil
	})))
	comment := func(sub int) kernel {
		return asked(func(s Session, args []*column.Vector, i int) (string, bool, error) {
			var col int64
			if sub > 0 {
				col = intAt(args[sub], i)
			}
			text, ok := s.Comment(intAt(args[0], i), col)
			return text, ok, nil
		})
	}
	l.pg("obj_description shobj_description", over("bigint", "varchar", comment(0)), over("bigint, varchar", "varchar", comment(0)))
	l.pg("col_description", over("bigint, bigint", "varchar", comment(1)))
	signature := func(pick func(args, result string) string) kernel {
		return asked(func(s Session, args []*column.Vector, i int) (string, bool, error) {
			a, r, ok := s.Signature(intAt(args[0], i))
			return pick(a, r), ok, nil
		})
	}
	l.pg("pg_get_function_arguments pg_get_function_identity_arguments", over("bigint", "varchar", signature(func(a, _ string) string { return a })))
	l.pg("pg_get_function_result", over("bigint", "varchar", signature(func(_, r string) string { return r })))

	// Of what the lake does not have there are no definitions to show.
	l.pg("pg_get_expr", over("varchar, bigint", "varchar", nothing), over("varchar, bigint, boolean", "varchar", nothing))
	l.pg(`pg_get_viewdef pg_get_constraintdef pg_get_indexdef pg_get_ruledef pg_get_triggerdef pg_get_partkeydef
		pg_get_functiondef pg_get_function_sqlbody pg_get_statisticsobjdef pg_get_statisticsobjdef_columns
		pg_get_statisticsobjdef_expressions pg_get_partition_constraintdef pg_tablespace_location pg_relation_filepath`,
		over("bigint", "varchar", nothing), over("bigint, boolean", "varchar", nothing),
		over("bigint, bigint, boolean", "varchar", nothing), over("varchar", "varchar", nothing))
	l.pg("pg_get_serial_sequence", over("varchar, varchar", "varchar", nothing))
	l.pg(`pg_table_size pg_relation_size pg_total_relation_size pg_indexes_size pg_database_size pg_tablespace_size
		pg_stat_get_numscans pg_stat_get_live_tuples pg_stat_get_dead_tuples pg_relation_filenode`,
		over("bigint", "bigint", nothing), over("varchar", "bigint", nothing), over("bigint, varchar", "bigint", nothing))
	l.pg("pg_size_pretty", over("bigint", "varchar", emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
		pushStr(out, prettySize(intAt(args[0], i)))
		return nil
	})))
	l.pg("pg_relation_is_publishable pg_is_other_temp_schema", over("bigint", "boolean", constantly[int64](0)), over("varchar", "boolean", constantly[int64](0)))
	l.pg("pg_my_temp_schema", over("", "bigint", constantly[int64](0)))
	addPostgresPrivileges(l)
}

// addPostgresPrivileges adds the functions that tell what a session may do. What it
// may not read it does not see, so reading is allowed of whatever is there.
func addPostgresPrivileges(l *library) {
	allowed := func(at int) kernel {
		return emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
			pushInt(out, truth(readsOnly(strAt(args[at], i))))
			return nil
		})
	}
	l.pg(`has_schema_privilege has_database_privilege has_function_privilege
		has_type_privilege has_language_privilege has_sequence_privilege has_tablespace_privilege has_server_privilege
		has_foreign_data_wrapper_privilege has_parameter_privilege pg_has_role`,
		over("bigint, varchar", "boolean", allowed(1)), over("varchar, varchar", "boolean", allowed(1)),
		over("varchar, bigint, varchar", "boolean", allowed(2)), over("varchar, varchar, varchar", "boolean", allowed(2)),
		over("bigint, bigint, varchar", "boolean", allowed(2)), over("bigint, varchar, varchar", "boolean", allowed(2)))
	// Of a relation that there is not for the session, Postgres knows no answer by its number, and by
	// its name an error.
	relation := func(at, what int) kernel {
		return emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			s, err := session(c)
			if err != nil {
				return err
			}
			if args[at].Type.Kind == column.Varchar {
				if _, err := regIn(s, "regclass", strAt(args[at], i)); err != nil {
					return err
				}
			} else if _, ok := s.Object("regclass", intAt(args[at], i)); !ok {
				pushNull(out)
				return nil
			}
			pushInt(out, truth(readsOnly(strAt(args[what], i))))
			return nil
		})
	}
	l.pg("has_table_privilege has_any_column_privilege",
		over("bigint, varchar", "boolean", relation(0, 1)), over("varchar, varchar", "boolean", relation(0, 1)),
		over("varchar, bigint, varchar", "boolean", relation(1, 2)), over("varchar, varchar, varchar", "boolean", relation(1, 2)),
		over("bigint, bigint, varchar", "boolean", relation(1, 2)), over("bigint, varchar, varchar", "boolean", relation(1, 2)))
	l.pg("has_column_privilege",
		over("bigint, bigint, varchar", "boolean", relation(0, 2)), over("bigint, varchar, varchar", "boolean", relation(0, 2)),
		over("varchar, bigint, varchar", "boolean", relation(0, 2)),
		over("varchar, varchar, varchar", "boolean", relation(0, 2)), over("varchar, bigint, bigint, varchar", "boolean", relation(1, 3)),
		over("varchar, bigint, varchar, varchar", "boolean", relation(1, 3)), over("varchar, varchar, bigint, varchar", "boolean", relation(1, 3)),
		over("varchar, varchar, varchar, varchar", "boolean", relation(1, 3)))
	l.pg("row_security_active", over("bigint", "boolean", constantly[int64](0)), over("varchar", "boolean", constantly[int64](0)))
}

// readsOnly reports whether one of the privileges of a list lets somebody look at something.
func readsOnly(privileges string) bool {
	for p := range strings.SplitSeq(strings.ToUpper(privileges), ",") {
		switch strings.TrimSpace(p) {
		case "SELECT", "USAGE", "CONNECT", "EXECUTE", "MEMBER", "SET":
			return true
		}
	}
	return false
}

// RegTypes are Postgres' types whose values are objects of the catalogue.
var RegTypes = []string{"regclass", "regtype", "regproc", "regprocedure", "regoper", "regoperator", "regnamespace", "regrole", "regcollation"}

// regIn reads the text of a value of such a type: a number, a dash for none, a name.
func regIn(s Session, kind, text string) (int64, error) {
	if text == "-" {
		return 0, nil
	}
	if oid, err := strconv.ParseUint(text, 10, 32); err == nil {
		return int64(oid), nil
	}
	oid, ok := s.OID(kind, text)
	if ok {
		return oid, nil
	}
	switch kind {
	case "regclass":
		return 0, fault(sqlerr.UndefinedTable, "relation %q does not exist", text)
	case "regproc", "regprocedure":
		return 0, fault(sqlerr.UndefinedFunction, "function %q does not exist", text)
	case "regnamespace":
		return 0, fault("3F000", "schema %q does not exist", text)
	}
	return 0, fault(sqlerr.UndefinedObject, "%s %q does not exist", strings.TrimPrefix(kind, "reg"), text)
}

func regOut(s Session, kind string, oid int64) string {
	if oid == 0 {
		return "-"
	}
	if name, ok := s.Object(kind, oid); ok {
		return name
	}
	return strconv.FormatInt(oid, 10)
}

// FormatPostgresType writes a type as format_type does: mod is its modifier, -1 for
// none.
func FormatPostgresType(oid, mod int64) string {
	if oid == 0 {
		return "-"
	}
	t, ok := PostgresTypeByOID(oid)
	if !ok {
		return "???"
	}
	if t.Name == "numeric" && mod >= 4 {
		mod -= 4
		return "numeric(" + strconv.FormatInt(mod>>16, 10) + "," + strconv.FormatInt(mod&0xffff, 10) + ")"
	}
	return t.Long
}

// prettySize writes a number of bytes as pg_size_pretty does.
func prettySize(n int64) string {
	units := []string{"bytes", "kB", "MB", "GB", "TB", "PB"}
	const largest = 10 << 10 // of a unit before the next one is used
	u := 0
	for u < len(units)-1 && (n >= largest || n <= -largest) {
		n = (n + 512) >> 10
		u++
	}
	return strconv.FormatInt(n, 10) + " " + units[u]
}

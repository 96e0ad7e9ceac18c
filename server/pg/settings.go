package pg

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// databaseName is the one database that there is.
const databaseName = "cairn"

// serverVersion is the version of Postgres whose behaviour clients may expect.
const (
	serverVersion    = "15.0 (Cairn)"
	serverVersionNum = "150000"
)

// reported are the settings that a client is told of at start-up and when they change.
var reported = []string{
	"application_name", "client_encoding", "DateStyle", "default_transaction_read_only", "in_hot_standby",
	"integer_datetimes", "IntervalStyle", "is_superuser", "server_encoding", "server_version",
	"session_authorization", "standard_conforming_strings", "TimeZone",
}

// settingKind says which values a setting takes.
type settingKind uint8

const (
	anyText  settingKind = iota
	fixed                // cannot be changed
	toggle               // on or off
	number               // a number, kept as given
	duration             // milliseconds, or with a unit
	choice               // one of values
	zone                 // a time zone
)

// known is a setting that every session has.
type known struct {
	name, value, about string
	kind               settingKind
	values             []string // of a choice; for others, those that are taken for the first
}

// knownSettings are in order of their names. Many have no effect here: clients set them
// without looking whether they need to.
var knownSettings = []known{
	{"application_name", "", "the name that the client gives itself", anyText, nil},
	{"array_nulls", "on", "NULL in texts of arrays", toggle, nil},
	{"block_size", "8192", "size of a page", fixed, nil},
	{"bytea_output", "hex", "text form of bytea", choice, []string{"hex"}},
	{"check_function_bodies", "on", "without effect", toggle, nil},
	{"client_encoding", "UTF8", "the encoding of texts", choice, []string{"UTF8", "UTF-8", "UNICODE"}},
	{"client_min_messages", "notice", "which notices are sent", choice, []string{"debug5", "debug4", "debug3", "debug2", "debug1", "debug", "log", "notice", "info", "warning", "error"}},
	{"cursor_tuple_fraction", "0.1", "without effect", number, nil},
	{"DateStyle", "ISO, MDY", "text form of dates", choice, []string{"ISO, MDY", "ISO,MDY", "ISO", "ISO, DMY", "ISO, YMD", "MDY", "DMY", "YMD"}},
	{"default_table_access_method", "heap", "without effect", anyText, nil},
	{"default_tablespace", "", "without effect", anyText, nil},
	{"default_text_search_config", "pg_catalog.simple", "without effect", anyText, nil},
	{"default_toast_compression", "pglz", "without effect", anyText, nil},
	{"default_transaction_deferrable", "off", "without effect", toggle, nil},
	{"default_transaction_isolation", "repeatable read", "without effect: a transaction sees one snapshot", choice, []string{"repeatable read", "read committed", "read uncommitted", "serializable"}},
	{"default_transaction_read_only", "off", "whether transactions refuse COPY into stores", toggle, nil},
	{"escape_string_warning", "on", "without effect", toggle, nil},
	{"extra_float_digits", "1", "without effect: floats have the digits they need", number, nil},
	{"geqo", "on", "without effect", toggle, nil},
	{"idle_in_transaction_session_timeout", "0", "ends sessions that forget a transaction", duration, nil},
	{"idle_session_timeout", "0", "ends sessions that send nothing", duration, nil},
	{"in_hot_standby", "off", "whether the server follows another", fixed, nil},
	{"integer_datetimes", "on", "binary form of times", fixed, nil},
	{"IntervalStyle", "postgres", "text form of intervals", choice, []string{"postgres"}},
	{"jit", "off", "without effect", toggle, nil},
	{"lc_collate", "C", "order of texts", fixed, nil},
	{"lc_ctype", "C.UTF-8", "kinds of characters", fixed, nil},
	{"lc_messages", "C", "language of messages", anyText, nil},
	{"lc_monetary", "C", "without effect", anyText, nil},
	{"lc_numeric", "C", "without effect", anyText, nil},
	{"lc_time", "C", "without effect", anyText, nil},
	{"lock_timeout", "0", "without effect: nothing is locked", duration, nil},
	{"max_identifier_length", "128", "length of a store's name", fixed, nil},
	{"max_index_keys", "32", "without effect", fixed, nil},
	{"password_encryption", "scram-sha-256", "how passwords are kept", fixed, nil},
	{"quote_all_identifiers", "off", "without effect", toggle, nil},
	{"role", "none", "without effect", choice, []string{"none"}},
	{"row_security", "on", "without effect: accounts are always kept apart", toggle, nil},
	{"search_path", `"$user", public`, "where tables are looked for", anyText, nil},
	{"server_encoding", "UTF8", "the encoding of texts", fixed, nil},
	{"server_version", serverVersion, "the Postgres that this behaves like", fixed, nil},
	{"server_version_num", serverVersionNum, "the same as a number", fixed, nil},
	{"session_authorization", "", "who has signed in", fixed, nil},
	{"standard_conforming_strings", "on", "backslashes in quotes are ordinary", choice, []string{"on", "true", "1", "yes"}},
	{"statement_timeout", "0", "ends statements that run longer", duration, nil},
	{"synchronous_commit", "on", "without effect: what is acknowledged is on disk", anyText, nil},
	{"synchronize_seqscans", "on", "without effect", toggle, nil},
	{"TimeZone", "UTC", "in which times are shown", zone, nil},
	{"transaction_deferrable", "off", "without effect", toggle, nil},
	{"transaction_isolation", "repeatable read", "a transaction sees one snapshot", choice, []string{"repeatable read", "read committed", "read uncommitted", "serializable"}},
	{"transaction_read_only", "off", "whether this transaction refuses COPY into stores", toggle, nil},
	{"is_superuser", "off", "whether the principal is an administrator", fixed, nil},
	{"wal_level", "replica", "without effect", fixed, nil},
	{"work_mem", "4MB", "without effect: queries have a budget of their own", anyText, nil},
	{"xmloption", "content", "without effect", anyText, nil},
}

// knownByName finds settings by lower-case name.
var knownByName = func() map[string]*known {
	m := make(map[string]*known, len(knownSettings))
	for i := range knownSettings {
		m[strings.ToLower(knownSettings[i].name)] = &knownSettings[i]
	}
	return m
}()

const (
	// customMax bounds the settings of a session that only its client knows
	// ("app.user"), and settingMax the length of a value.
	customMax  = 64
	settingMax = 4 << 10
)

// settings are the values of one session. Only what differs from the defaults is kept,
// so an idle session has next to nothing.
type settings struct {
	set map[string]string // by lower-case name
	// start are the values that RESET goes back to.
	start map[string]string
	// before are the values to go back to when the transaction fails, and, for SET
	// LOCAL, when it ends; nil outside of one.
	before map[string]string
	local  map[string]string
	loc    *time.Location
	zone   uint16
}

// value returns a setting, "" when there is none.
func (s *settings) value(name string) string {
	v, _ := s.lookup(name)
	return v
}

func (s *settings) lookup(name string) (string, bool) {
	key := strings.ToLower(name)
	if v, ok := s.set[key]; ok {
		return v, true
	}
	if v, ok := s.start[key]; ok {
		return v, true
	}
	if k := knownByName[key]; k != nil {
		return k.value, true
	}
	return "", false
}

// all returns every setting.
func (s *settings) all() []Setting {
	out := make([]Setting, 0, len(knownSettings)+len(s.set))
	for i := range knownSettings {
		k := &knownSettings[i]
		out = append(out, Setting{k.name, s.value(k.name), k.about})
	}
	for name, v := range s.set {
		if knownByName[name] == nil {
			out = append(out, Setting{name, v, "set by the client"})
		}
	}
	slices.SortFunc(out, func(a, b Setting) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return out
}

// display returns the spelling of a setting's name.
func display(name string) string {
	if k := knownByName[strings.ToLower(name)]; k != nil {
		return k.name
	}
	return name
}

// check returns the value in the form in which it is kept.
func (s *settings) check(name, value string) (key, kept string, err error) {
	key = strings.ToLower(name)
	if len(value) > settingMax || len(name) > nameMax {
		return "", "", sqlerr.New(codeBadSetting, sqlerr.Pos{}, "the value of a setting may have %d bytes", settingMax)
	}
	k := knownByName[key]
	if k == nil {
		if !strings.Contains(key, ".") {
			return "", "", sqlerr.New(codeNoSetting, sqlerr.Pos{}, "unrecognized configuration parameter %q", name)
		}
		if _, ok := s.set[key]; !ok && len(s.set) >= customMax+len(knownSettings) {
			return "", "", sqlerr.New(sqlerr.ConfigurationLimit, sqlerr.Pos{}, "a session may have %d settings of its own", customMax)
		}
		return key, value, nil
	}
	bad := func(hint string) error {
		return sqlerr.New(codeBadSetting, sqlerr.Pos{}, "invalid value for parameter %q: %q", k.name, value).WithHint("%s", hint)
	}
	switch k.kind {
	case fixed:
		return "", "", sqlerr.New(codeFixedSetting, sqlerr.Pos{}, "parameter %q cannot be changed", k.name)
	case toggle:
		switch strings.ToLower(value) {
		case "on", "true", "yes", "1", "t", "y":
			value = "on"
		case "off", "false", "no", "0", "f", "n":
			value = "off"
		default:
			return "", "", bad("on or off")
		}
	case number:
		if _, err := strconv.ParseFloat(value, 64); err != nil {
			return "", "", bad("a number")
		}
	case duration:
		d, err := parseDuration(value)
		if err != nil {
			return "", "", bad("a number of milliseconds, or one with a unit: ms, s, min, h, d")
		}
		value = formatDuration(d)
	case choice:
		if key == "client_encoding" {
			value = strings.Trim(value, "'\"") // one client quotes it at start-up
		}
		i := slices.IndexFunc(k.values, func(v string) bool { return strings.EqualFold(v, value) })
		if i < 0 {
			return "", "", bad("available values: " + strings.Join(k.values, "; "))
		}
		value = k.values[i]
		switch key {
		case "client_encoding", "bytea_output", "standard_conforming_strings", "datestyle", "intervalstyle":
			value = k.value // the other spellings of the one that there is
		}
	case zone:
		n, err := zoneNumber(value)
		if err != nil {
			return "", "", bad("a name such as Europe/Paris, or an offset such as +02:00")
		}
		value = column.ZoneName(n)
	}
	return key, value, nil
}

// zoneNumber reads a time zone as Postgres does: names without regard to case where
// that is unambiguous, and hours east of Greenwich.
func zoneNumber(value string) (uint16, error) {
	switch strings.ToLower(value) {
	case "utc", "gmt", "z", "etc/utc", "etc/gmt", "zulu", "universal", "default", "local", "0":
		return column.ZoneNumber("UTC")
	}
	if hours, err := strconv.ParseFloat(value, 64); err == nil && hours >= -14 && hours <= 14 {
		sign, minutes := "+", int(hours*60)
		if minutes < 0 {
			sign, minutes = "-", -minutes
		}
		return column.ZoneNumber(fmt.Sprintf("%s%02d:%02d", sign, minutes/60, minutes%60))
	}
	return column.ZoneNumber(value)
}

// parseDuration reads milliseconds, or a number with a unit.
func parseDuration(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	unit := time.Millisecond
	for _, u := range []struct {
		name string
		d    time.Duration
	}{{"us", time.Microsecond}, {"ms", time.Millisecond}, {"min", time.Minute}, {"s", time.Second}, {"h", time.Hour}, {"d", 24 * time.Hour}} {
		if n, ok := strings.CutSuffix(text, u.name); ok {
			text, unit = strings.TrimSpace(n), u.d
			break
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n < 0 || n*float64(unit) > float64(1<<62) {
		return 0, strconv.ErrRange
	}
	return time.Duration(n * float64(unit)).Truncate(time.Millisecond), nil
}

// formatDuration writes a time in the largest unit that it is a whole number of.
func formatDuration(d time.Duration) string {
	for _, u := range []struct {
		name string
		d    time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"min", time.Minute}, {"s", time.Second}} {
		if d > 0 && d%u.d == 0 {
			return strconv.FormatInt(int64(d/u.d), 10) + u.name
		}
	}
	if d == 0 {
		return "0"
	}
	return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
}

// put keeps a checked value.
func (s *settings) put(key, value string, local bool) {
	if s.before != nil {
		old, ok := s.lookup(key)
		if !ok {
			old = unset
		}
		if _, there := s.before[key]; !there {
			s.before[key] = old
		}
		if local {
			if _, there := s.local[key]; !there {
				s.local[key] = old
			}
		} else {
			delete(s.local, key)
		}
	} else if local {
		return // outside of a transaction it ends with the statement
	}
	s.keep(key, value)
}

// unset stands in before and local for a setting that was not there.
const unset = "\x00"

func (s *settings) keep(key, value string) {
	if s.set == nil {
		s.set = make(map[string]string)
	}
	if value == unset {
		delete(s.set, key)
	} else {
		s.set[key] = value
	}
	if key == "timezone" {
		n, err := column.ZoneNumber(s.value(key))
		if err == nil {
			s.zone, s.loc = n, column.Zone(n)
		}
	}
}

// begin and end bracket a transaction.
func (s *settings) begin() {
	s.before, s.local = map[string]string{}, map[string]string{}
}

// end returns the names of the settings that have changed back.
func (s *settings) end(committed bool) (changed []string) {
	back := s.before
	if committed {
		back = s.local
	}
	s.before, s.local = nil, nil
	for _, key := range slices.Sorted(maps.Keys(back)) {
		s.keep(key, back[key])
		changed = append(changed, key)
	}
	return changed
}

// duration returns a time limit; 0 for none.
func (s *settings) duration(name string) time.Duration {
	v, ok := s.set[name]
	if !ok {
		return 0
	}
	d, err := parseDuration(v)
	if err != nil {
		return 0
	}
	return d
}

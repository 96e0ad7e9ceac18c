package pg

import (
	"strings"

	"github.com/cairndb/cairn/server/auth"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// Rule says what a kind of statement does, and so who may run it. A kind that has no rule
// is run for nobody.
type Rule struct {
	// Kind names the statements.
	Kind string
	// Example is one of them.
	Example string
	// Action is what whoever runs it must be allowed to do.
	Action auth.Action
	// Stores is what reading the stores that it names takes besides; the engine's view of
	// the lake sees to it: other stores do not exist. 0 where none can be named.
	Stores auth.Action
}

// commandRules are those of the statements of the session.
var commandRules = [verbs]Rule{
	verbBegin:          {"BEGIN", "BEGIN", auth.Session, 0},
	verbCommit:         {"COMMIT", "COMMIT", auth.Session, 0},
	verbRollback:       {"ROLLBACK", "ROLLBACK", auth.Session, 0},
	verbSavepoint:      {"SAVEPOINT", "SAVEPOINT a", auth.Session, 0},
	verbRelease:        {"RELEASE", "RELEASE a", auth.Session, 0},
	verbRollbackTo:     {"ROLLBACK TO", "ROLLBACK TO a", auth.Session, 0},
	verbSet:            {"SET", "SET application_name = 'x'", auth.Session, 0},
	verbSetTransaction: {"SET TRANSACTION", "SET TRANSACTION READ ONLY", auth.Session, 0},
	verbShow:           {"SHOW setting", "SHOW server_version", auth.Session, 0},
	verbReset:          {"RESET", "RESET ALL", auth.Session, 0},
	verbDiscard:        {"DISCARD", "DISCARD ALL", auth.Session, 0},
	verbPrepare:        {"PREPARE", "PREPARE p AS SELECT 1", auth.Session, auth.Query},
	verbExecute:        {"EXECUTE", "EXECUTE p", auth.Session, auth.Query},
	verbDeallocate:     {"DEALLOCATE", "DEALLOCATE ALL", auth.Session, 0},
	verbDeclare:        {"DECLARE", "DECLARE c CURSOR WITH HOLD FOR SELECT 1", auth.Session, auth.Query},
	verbFetch:          {"FETCH", "FETCH 1 FROM c", auth.Session, auth.Query},
	verbMove:           {"MOVE", "MOVE 1 FROM c", auth.Session, auth.Query},
	verbClose:          {"CLOSE", "CLOSE c", auth.Session, 0},
	verbCopyIn:         {"COPY FROM", "COPY events FROM STDIN", auth.Append, auth.Append},
	verbCopyOut:        {"COPY TO", "COPY (SELECT count(*) FROM events) TO STDOUT", auth.Query, auth.Query},
	verbListen:         {"LISTEN", "LISTEN events", auth.Query, auth.Query},
	verbUnlisten:       {"UNLISTEN", "UNLISTEN *", auth.Session, 0},
	verbCreateUser:     {"CREATE USER", "CREATE USER example ROLE reader", auth.ManageUsers, 0},
	verbAlterUser:      {"ALTER USER", "ALTER USER example PASSWORD", auth.OwnPassword, 0},
	verbDropUser:       {"DROP USER", "DROP USER example", auth.ManageUsers, 0},
	verbGrant:          {"GRANT", "GRANT STORES (events) TO example", auth.ManageUsers, 0},
	verbRevoke:         {"REVOKE", "REVOKE STORES (events) FROM example", auth.ManageUsers, 0},
	verbShowUsers:      {"SHOW USERS", "SHOW USERS", auth.ManageUsers, 0},
}

// queryRules are those of the statements of the query engine.
var queryRules = [sql.Kinds]Rule{
	sql.KindQuery:   {"SELECT", "SELECT count(*) FROM events", auth.Session, auth.Query},
	sql.KindExplain: {"EXPLAIN", "EXPLAIN SELECT count(*) FROM events", auth.Session, auth.Query},
	sql.KindShow:    {"SHOW TABLES, COLUMNS, FUNCTIONS", "SHOW COLUMNS FROM events", auth.Session, auth.Query},
}

// Rules returns the rules of all kinds of statements: of the query engine, of the session,
// and of those that are refused to everybody.
func Rules() []Rule {
	list := append([]Rule{}, queryRules[:]...)
	list = append(list, commandRules[:]...)
	for _, word := range refusedWords {
		list = append(list, Rule{Kind: strings.ToUpper(word), Example: strings.ToUpper(word) + " events", Action: auth.ChangeEvents})
	}
	return list
}

// may refuses a statement that the principal may not run now.
func (s *session) may(r Rule) error {
	if r.Action == 0 {
		return sqlerr.New(codeForbidden, sqlerr.Pos{}, "permission denied: there is no rule for this statement")
	}
	return s.p.May(r.Action)
}

// refusal is why a statement is not for anybody.
type refusal struct{ code, text, hint string }

func (f refusal) err(at token) error {
	e := sqlerr.New(f.code, sqlerr.Pos{Start: at.start, End: at.end}, "%s", strings.ReplaceAll(f.text, "%s", strings.ToUpper(at.text)))
	if f.hint != "" {
		e = e.WithHint("%s", f.hint)
	}
	return e
}

// refusals are the statements that nobody may run, by their first word.
var refusals = map[string]refusal{}

// refusedWords are those words, in order.
var refusedWords []string

func init() {
	for _, r := range []struct {
		words string
		refusal
	}{
		{"notify", refusal{codeForbidden, "NOTIFY is refused: notifications tell of events that were stored, and only those", ""}},
		{"insert", refusal{sqlerr.ReadOnly, "INSERT is refused: a store takes whole records, byte for byte, and does not make them of columns",
			"COPY store FROM STDIN takes one JSON record per row"}},
		{"update delete truncate merge", refusal{sqlerr.ReadOnly, "%s is refused: the lake is immutable, stored events are never changed or removed by a statement",
			"events leave a store by its retention period only"}},
		{"create drop alter comment reindex vacuum cluster analyze refresh import security", refusal{sqlerr.ReadOnly,
			"%s is refused: the tables are the lake's event data stores, which SQL does not change", "stores are managed with: cairn store"}},
		{"reassign", refusal{codeForbidden, "%s is refused: principals own nothing", "see: cairn user --help"}},
		{"do", refusal{codeForbidden, "DO is refused: there is no language for procedures, and nothing that they could change", ""}},
		{"checkpoint load", refusal{codeForbidden, "%s is refused: it is for those who run the server, which looks after itself", ""}},
		{"lock", refusal{codeForbidden, "LOCK is refused: nothing in the lake is ever changed, so nothing needs to be locked", ""}},
	} {
		for _, word := range strings.Fields(r.words) {
			refusals[word] = r.refusal
			refusedWords = append(refusedWords, word)
		}
	}
}

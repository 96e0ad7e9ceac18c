package pg

import (
	"math"
	"strconv"
	"strings"

	"github.com/cairndb/cairn/sql/sqlerr"
)

// verb is what a command of the session does.
type verb uint8

const (
	verbBegin verb = iota
	verbCommit
	verbRollback
	verbSavepoint
	verbRelease
	verbRollbackTo
	verbSet
	verbSetTransaction
	verbShow
	verbReset
	verbDiscard
	verbPrepare
	verbExecute
	verbDeallocate
	verbDeclare
	verbFetch
	verbMove
	verbClose
	verbCopyIn
	verbCopyOut
	verbListen
	verbUnlisten
	verbCreateUser
	verbAlterUser
	verbDropUser
	verbGrant
	verbRevoke
	verbShowUsers

	verbs // how many there are
)

// command is a statement that the session answers itself.
type command struct {
	verb  verb
	tag   string // of CommandComplete, where it is always the same
	name  string // of what it is about; "" for all where that is possible
	value string
	isDef bool // SET … TO DEFAULT
	local bool
	chain bool // COMMIT AND CHAIN

	readOnly, readWrite bool // of a transaction

	// Of PREPARE, DECLARE, COPY (query): a query, and where it begins.
	query     string
	queryAt   int
	types     []string // of PREPARE's parameters
	values    []*string
	hold      bool
	scroll    bool
	binary    bool
	direction direction
	count     int64 // of FETCH; all for math.MaxInt64
	copy      *copyOptions
	user      *userChange // of the statements about principals
}

// direction is where FETCH goes.
type direction uint8

const (
	forward direction = iota
	backward
	absolute
	relative
)

// endsFailed reports whether the command may run in a transaction that has failed.
func (c *command) endsFailed() bool {
	return c.verb == verbCommit || c.verb == verbRollback || c.verb == verbRollbackTo
}

// reader reads a command word by word.
type reader struct {
	scanner
	t token // the next one
}

func (r *reader) next() token {
	t := r.t
	r.t = r.scanner.next()
	return t
}

// accept passes over a word if it is the next.
func (r *reader) accept(word string) bool {
	if r.t.is(word) {
		r.next()
		return true
	}
	return false
}

func (r *reader) acceptSign(sign string) bool {
	if r.t.isSign(sign) {
		r.next()
		return true
	}
	return false
}

// unexpected is the error of a token that cannot stand where it stands.
func (r *reader) unexpected() error {
	pos := sqlerr.Pos{Start: r.t.start, End: r.t.end}
	if r.t.kind == tokenEnd {
		return sqlerr.New(sqlerr.SyntaxError, pos, "syntax error at end of input")
	}
	return sqlerr.New(sqlerr.SyntaxError, pos, "syntax error at or near %q", shorten(r.text[r.t.start:r.t.end]))
}

// ident reads a name.
func (r *reader) ident() (string, error) {
	name, ok := r.t.name()
	if !ok {
		return "", r.unexpected()
	}
	r.next()
	return name, nil
}

// end expects the end of the statement.
func (r *reader) end(c *command) (*command, error) {
	if r.t.kind != tokenEnd {
		return nil, r.unexpected()
	}
	return c, nil
}

// parseCommand reads a statement of the session; nil for one that the engine is to read.
func parseCommand(text string) (*command, error) {
	r := &reader{scanner: scanner{text: text}}
	r.next()
	if r.t.kind != tokenWord {
		return nil, nil
	}
	start := r.t
	if c, err := r.userCommand(); c != nil || err != nil {
		return c, err
	}
	if why, ok := refusals[start.text]; ok {
		return nil, why.err(start)
	}
	switch start.text {
	case "begin", "start":
		r.next()
		if start.text == "start" {
			if !r.accept("transaction") {
				return nil, r.unexpected()
			}
		} else if !r.accept("transaction") {
			r.accept("work")
		}
		c := &command{verb: verbBegin, tag: "BEGIN"}
		if start.text == "start" {
			c.tag = "START TRANSACTION"
		}
		if err := r.modes(c); err != nil {
			return nil, err
		}
		return r.end(c)
	case "commit", "end", "rollback", "abort":
		r.next()
		c := &command{verb: verbCommit, tag: "COMMIT"}
		if start.text == "rollback" || start.text == "abort" {
			c = &command{verb: verbRollback, tag: "ROLLBACK"}
		}
		if r.t.is("prepared") {
			return nil, sqlerr.New(sqlerr.FeatureNotSupported, sqlerr.Pos{Start: start.start, End: start.end}, "two-phase commit is not supported: transactions only read")
		}
		if !r.accept("transaction") {
			r.accept("work")
		}
		if c.verb == verbRollback && r.accept("to") {
			r.accept("savepoint")
			name, err := r.ident()
			if err != nil {
				return nil, err
			}
			return r.end(&command{verb: verbRollbackTo, tag: "ROLLBACK", name: name})
		}
		if r.accept("and") {
			no := r.accept("no")
			if !r.accept("chain") {
				return nil, r.unexpected()
			}
			c.chain = !no
		}
		return r.end(c)
	case "savepoint", "release":
		r.next()
		c := &command{verb: verbSavepoint, tag: "SAVEPOINT"}
		if start.text == "release" {
			c = &command{verb: verbRelease, tag: "RELEASE"}
			r.accept("savepoint")
		}
		var err error
		if c.name, err = r.ident(); err != nil {
			return nil, err
		}
		return r.end(c)
	case "set":
		return r.set()
	case "show":
		return r.show()
	case "reset":
		r.next()
		c := &command{verb: verbReset, tag: "RESET"}
		if r.accept("all") {
			return r.end(c)
		}
		name, err := r.setting()
		if err != nil {
			return nil, err
		}
		c.name = name
		return r.end(c)
	case "discard":
		r.next()
		c := &command{verb: verbDiscard, name: r.t.text}
		switch r.next().text {
		case "all", "plans", "sequences", "temp", "temporary":
			c.tag = "DISCARD " + strings.ToUpper(c.name)
			return r.end(c)
		}
		return nil, r.unexpected()
	case "prepare":
		return r.prepare()
	case "execute":
		return r.execute()
	case "deallocate":
		r.next()
		r.accept("prepare")
		c := &command{verb: verbDeallocate, tag: "DEALLOCATE"}
		if r.accept("all") {
			c.tag = "DEALLOCATE ALL"
			return r.end(c)
		}
		var err error
		if c.name, err = r.ident(); err != nil {
			return nil, err
		}
		return r.end(c)
	case "declare":
		return r.declare()
	case "fetch", "move":
		return r.fetch()
	case "close":
		r.next()
		c := &command{verb: verbClose, tag: "CLOSE CURSOR"}
		if r.accept("all") {
			c.tag = "CLOSE CURSOR ALL"
			return r.end(c)
		}
		var err error
		if c.name, err = r.ident(); err != nil {
			return nil, err
		}
		return r.end(c)
	case "copy":
		return r.copy()
	case "listen", "unlisten":
		r.next()
		c := &command{verb: verbListen, tag: "LISTEN"}
		if start.text == "unlisten" {
			c = &command{verb: verbUnlisten, tag: "UNLISTEN"}
			if r.acceptSign("*") {
				return r.end(c)
			}
		}
		var err error
		if c.name, err = r.ident(); err != nil {
			return nil, err
		}
		return r.end(c)
	}
	return nil, nil
}

// modes reads the modes of a transaction.
func (r *reader) modes(c *command) error {
	for r.t.kind != tokenEnd {
		switch {
		case r.accept("isolation"):
			if !r.accept("level") {
				return r.unexpected()
			}
			switch {
			case r.accept("serializable"):
			case r.accept("repeatable"):
				if !r.accept("read") {
					return r.unexpected()
				}
			case r.accept("read"):
				if !r.accept("committed") && !r.accept("uncommitted") {
					return r.unexpected()
				}
			default:
				return r.unexpected()
			}
		case r.accept("read"):
			switch {
			case r.accept("only"):
				c.readOnly = true
			case r.accept("write"):
				c.readWrite = true
			default:
				return r.unexpected()
			}
		case r.accept("not"):
			if !r.accept("deferrable") {
				return r.unexpected()
			}
		case r.accept("deferrable"):
		default:
			return r.unexpected()
		}
		r.acceptSign(",")
	}
	return nil
}

// setting reads the name of a setting, which may have dots.
func (r *reader) setting() (string, error) {
	switch {
	case r.t.is("time"):
		r.next()
		if !r.accept("zone") {
			return "", r.unexpected()
		}
		return "timezone", nil
	case r.t.is("transaction"):
		r.next()
		if r.accept("isolation") {
			if !r.accept("level") {
				return "", r.unexpected()
			}
			return "transaction_isolation", nil
		}
		return "", r.unexpected()
	case r.t.is("names"):
		r.next()
		return "client_encoding", nil
	}
	name, err := r.ident()
	if err != nil {
		return "", err
	}
	for r.acceptSign(".") {
		more, err := r.ident()
		if err != nil {
			return "", err
		}
		name += "." + more
	}
	if name == "session" && r.accept("authorization") {
		name = "session_authorization"
	}
	return name, nil
}

// set reads SET.
func (r *reader) set() (*command, error) {
	r.next()
	c := &command{verb: verbSet, tag: "SET"}
	if r.t.is("session") {
		ahead := *r
		ahead.next()
		if ahead.t.is("characteristics") {
			r.next()
			r.next()
			if !r.accept("as") || !r.accept("transaction") {
				return nil, r.unexpected()
			}
			if err := r.modes(c); err != nil {
				return nil, err
			}
			if c.readOnly || c.readWrite {
				c.name, c.value = "default_transaction_read_only", onOff(c.readOnly)
				return c, nil
			}
			c.name, c.isDef = "default_transaction_isolation", true
			return c, nil
		}
		if !ahead.t.is("authorization") {
			r.next()
		}
	} else if r.accept("local") {
		c.local = true
	}
	if r.t.is("transaction") {
		ahead := *r
		ahead.next()
		if ahead.t.kind == tokenWord && ahead.t.text != "to" {
			r.next()
			c.verb = verbSetTransaction
			if err := r.modes(c); err != nil {
				return nil, err
			}
			return r.end(c)
		}
	}
	bare := r.t.is("time") || r.t.is("names") // SET TIME ZONE x, without a sign
	name, err := r.setting()
	if err != nil {
		return nil, err
	}
	c.name = name
	if name == "role" || name == "session_authorization" {
		bare = true
	}
	if !r.acceptSign("=") && !r.accept("to") && !bare {
		return nil, r.unexpected()
	}
	var values []string
	for {
		t := r.t
		switch {
		case t.is("default") && len(values) == 0, t.is("local") && name == "timezone":
			r.next()
			c.isDef = true
			return r.end(c)
		case t.is("interval") && name == "timezone":
			r.next()
			t = r.t
			r.next()
			values = append(values, t.text)
			for r.t.kind == tokenWord {
				r.next() // HOUR TO MINUTE
			}
		case t.isSign("-") || t.isSign("+"):
			r.next()
			if r.t.kind != tokenNumber {
				return nil, r.unexpected()
			}
			values = append(values, strings.TrimPrefix(t.text, "+")+r.t.text)
			r.next()
		case t.kind == tokenString || t.kind == tokenNumber || t.kind == tokenQuoted:
			values = append(values, t.text)
			r.next()
		case t.kind == tokenWord:
			values = append(values, r.text[t.start:t.end])
			r.next()
		default:
			return nil, r.unexpected()
		}
		if !r.acceptSign(",") {
			break
		}
	}
	c.value = strings.Join(values, ", ")
	return r.end(c)
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

// show reads SHOW of a setting; SHOW TABLES and their like are for the engine.
func (r *reader) show() (*command, error) {
	r.next()
	if r.t.is("users") {
		r.next()
		c := &command{verb: verbShowUsers, user: &userChange{}}
		return r.end(c)
	}
	if r.t.is("tables") || r.t.is("columns") || r.t.is("functions") || r.t.kind == tokenEnd {
		return nil, nil
	}
	c := &command{verb: verbShow, tag: "SHOW"}
	if r.accept("all") {
		return r.end(c)
	}
	var err error
	if c.name, err = r.setting(); err != nil {
		return nil, err
	}
	return r.end(c)
}

// rest is the text from here on, which is a query.
func (r *reader) rest(c *command) error {
	if r.t.kind == tokenEnd {
		return r.unexpected()
	}
	c.query, c.queryAt = r.text[r.t.start:], r.t.start
	return nil
}

// prepare reads PREPARE name (types) AS query.
func (r *reader) prepare() (*command, error) {
	r.next()
	c := &command{verb: verbPrepare, tag: "PREPARE"}
	var err error
	if c.name, err = r.ident(); err != nil {
		return nil, err
	}
	if r.acceptSign("(") {
		from := r.t.start
		for depth := 0; !r.t.isSign(")") || depth > 0; r.next() {
			switch {
			case r.t.kind == tokenEnd:
				return nil, r.unexpected()
			case r.t.isSign("("):
				depth++
			case r.t.isSign(")"):
				depth--
			case r.t.isSign(",") && depth == 0:
				c.types = append(c.types, strings.ToLower(strings.TrimSpace(r.text[from:r.t.start])))
				from = r.t.end
			}
		}
		c.types = append(c.types, strings.ToLower(strings.TrimSpace(r.text[from:r.t.start])))
		r.next()
	}
	if !r.accept("as") {
		return nil, r.unexpected()
	}
	return c, r.rest(c)
}

// execute reads EXECUTE name (values), each a literal.
func (r *reader) execute() (*command, error) {
	r.next()
	c := &command{verb: verbExecute}
	var err error
	if c.name, err = r.ident(); err != nil {
		return nil, err
	}
	if r.acceptSign("(") {
		for {
			t := r.next()
			minus := t.isSign("-")
			if minus {
				t = r.next()
			}
			switch {
			case t.is("null"):
				c.values = append(c.values, nil)
			case t.kind == tokenString, t.kind == tokenNumber, t.is("true"), t.is("false"):
				v := t.text
				if minus {
					v = "-" + v
				}
				c.values = append(c.values, &v)
			default:
				r.t = t
				return nil, r.unexpected()
			}
			for r.t.isSign(":") { // a cast: the parameter has its type
				r.next()
				if !r.acceptSign(":") {
					return nil, r.unexpected()
				}
				for r.t.kind == tokenWord {
					r.next()
				}
			}
			if !r.acceptSign(",") {
				break
			}
		}
		if !r.acceptSign(")") {
			return nil, r.unexpected()
		}
	}
	return r.end(c)
}

// declare reads DECLARE name … CURSOR … FOR query.
func (r *reader) declare() (*command, error) {
	r.next()
	c := &command{verb: verbDeclare, tag: "DECLARE CURSOR"}
	var err error
	if c.name, err = r.ident(); err != nil {
		return nil, err
	}
	for !r.accept("cursor") {
		switch {
		case r.accept("binary"):
			c.binary = true
		case r.accept("insensitive"), r.accept("asensitive"):
		case r.accept("no"):
			if !r.accept("scroll") {
				return nil, r.unexpected()
			}
		case r.accept("scroll"):
			c.scroll = true
		default:
			return nil, r.unexpected()
		}
	}
	if r.t.is("with") || r.t.is("without") {
		c.hold = r.next().text == "with"
		if !r.accept("hold") {
			return nil, r.unexpected()
		}
	}
	if !r.accept("for") {
		return nil, r.unexpected()
	}
	return c, r.rest(c)
}

// fetch reads FETCH and MOVE.
func (r *reader) fetch() (*command, error) {
	c := &command{verb: verbFetch, count: 1}
	if r.next().text == "move" {
		c.verb = verbMove
	}
	number := func() (int64, bool, error) {
		minus := r.acceptSign("-")
		if !minus {
			r.acceptSign("+")
		}
		if r.t.kind != tokenNumber {
			if minus {
				return 0, false, r.unexpected()
			}
			return 0, false, nil
		}
		n, err := strconv.ParseInt(r.t.text, 10, 64)
		if err != nil {
			return 0, false, r.unexpected()
		}
		r.next()
		if minus {
			n = -n
		}
		return n, true, nil
	}
	var err error
	switch {
	case r.accept("next"):
	case r.accept("prior"):
		c.direction = backward
	case r.accept("first"):
		c.direction = absolute
	case r.accept("last"):
		c.direction, c.count = absolute, -1
	case r.t.is("absolute"), r.t.is("relative"):
		c.direction = relative
		if r.next().text == "absolute" {
			c.direction = absolute
		}
		var ok bool
		if c.count, ok, err = number(); err != nil || !ok {
			return nil, r.unexpected()
		}
	case r.accept("all"):
		c.count = math.MaxInt64
	case r.t.is("forward"), r.t.is("backward"):
		if r.next().text == "backward" {
			c.direction = backward
		}
		if r.accept("all") {
			c.count = math.MaxInt64
			break
		}
		n, ok, err := number()
		if err != nil {
			return nil, err
		}
		if ok {
			c.count = n
		}
	default:
		n, ok, err := number()
		if err != nil {
			return nil, err
		}
		if ok {
			c.count = n
		}
	}
	if !r.accept("from") {
		r.accept("in")
	}
	if c.name, err = r.ident(); err != nil {
		return nil, err
	}
	if c.direction == forward && c.count < 0 {
		c.direction, c.count = backward, -c.count
	} else if c.direction == backward && c.count < 0 {
		c.direction, c.count = forward, -c.count
	}
	return r.end(c)
}

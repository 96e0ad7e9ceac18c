package pg

import (
	"strings"

	"github.com/cairndb/cairn/sql/sqlerr"
)

// copyFormat is how rows are written in a COPY.
type copyFormat uint8

const (
	copyText copyFormat = iota
	copyCSV
	copyBinary
	copyJSON // one record per line, without any escapes
)

// copyOptions are those of a COPY.
type copyOptions struct {
	format     copyFormat
	delimiter  byte
	null       string
	header     bool
	quote      byte
	escape     byte
	forceQuote []string // "*" for all
}

// copy reads COPY.
func (r *reader) copy() (*command, error) {
	start := r.next()
	c := &command{copy: &copyOptions{}}
	var columns []string
	binary := r.accept("binary")
	if r.t.isSign("(") {
		open := r.t
		depth := 0
		for {
			t := r.next()
			if t.kind == tokenEnd {
				r.t = t
				return nil, r.unexpected()
			}
			if t.isSign("(") {
				depth++
			} else if t.isSign(")") {
				if depth--; depth == 0 {
					c.query, c.queryAt = r.text[open.end:t.start], open.end
					break
				}
			}
		}
	} else {
		name, err := r.ident()
		if err != nil {
			return nil, err
		}
		if r.acceptSign(".") {
			if name, err = r.ident(); err != nil {
				return nil, err
			}
		}
		c.name = name
		if r.acceptSign("(") {
			for {
				col, err := r.ident()
				if err != nil {
					return nil, err
				}
				columns = append(columns, col)
				if !r.acceptSign(",") {
					break
				}
			}
			if !r.acceptSign(")") {
				return nil, r.unexpected()
			}
		}
	}
	switch {
	case r.t.is("from") && c.query == "":
		r.next()
		c.verb = verbCopyIn
		if !r.t.is("stdin") {
			return nil, sqlerr.New(codeForbidden, sqlerr.Pos{Start: r.t.start, End: r.t.end}, "COPY from a file or program of the server is refused").
				WithHint(`use COPY … FROM STDIN; psql's \copy reads a file of the client`)
		}
		if len(columns) > 1 {
			return nil, sqlerr.New(codeBadCopy, sqlerr.Pos{Start: start.start, End: r.t.start}, "a store takes whole records: one column, eventJson")
		}
	case r.accept("to"):
		c.verb = verbCopyOut
		if !r.t.is("stdout") {
			return nil, sqlerr.New(codeForbidden, sqlerr.Pos{Start: r.t.start, End: r.t.end}, "COPY to a file or program of the server is refused").
				WithHint(`use COPY … TO STDOUT; psql's \copy writes a file of the client`)
		}
		if c.query == "" {
			list := "*"
			if len(columns) > 0 {
				for i, col := range columns {
					columns[i] = quoteIdent(col)
				}
				list = strings.Join(columns, ", ")
			}
			c.query = "SELECT " + list + " FROM " + quoteIdent(c.name)
			c.queryAt = -1
		}
	default:
		return nil, r.unexpected()
	}
	r.next()
	if binary {
		c.copy.format = copyBinary
	}
	if err := r.copyOptions(c.copy); err != nil {
		return nil, err
	}
	return r.end(c)
}

func quoteIdent(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// copyOptions reads WITH (FORMAT csv, …) and the older WITH CSV HEADER ….
func (r *reader) copyOptions(o *copyOptions) error {
	r.accept("with")
	list := r.acceptSign("(")
	var delimiter, quote, escape, null *string
	text := func() (*string, error) {
		r.accept("as")
		if r.t.kind != tokenString {
			return nil, r.unexpected()
		}
		v := r.next().text
		return &v, nil
	}
	on := func() (bool, error) {
		switch t := r.t; {
		case t.is("true"), t.is("on"), t.is("match"), t.kind == tokenNumber && t.text == "1":
		case t.is("false"), t.is("off"), t.kind == tokenNumber && t.text == "0":
			r.next()
			return false, nil
		case t.kind == tokenString:
			v := strings.ToLower(r.next().text)
			return v == "true" || v == "on" || v == "1", nil
		default:
			return true, nil
		}
		r.next()
		return true, nil
	}
	format := func(name string) error {
		switch strings.ToLower(name) {
		case "text":
			o.format = copyText
		case "csv":
			o.format = copyCSV
		case "binary":
			o.format = copyBinary
		case "json":
			o.format = copyJSON
		default:
			return sqlerr.New(sqlerr.InvalidArgument, sqlerr.Pos{Start: r.t.start, End: r.t.end}, "COPY format %q not recognized", name).
				WithHint("text, csv, binary and json are")
		}
		return nil
	}
	for r.t.kind != tokenEnd && !r.t.isSign(")") {
		var err error
		switch t := r.next(); {
		case t.is("format") && list:
			name, ok := r.t.name()
			if r.t.kind == tokenString {
				name, ok = r.t.text, true
			}
			if !ok {
				return r.unexpected()
			}
			if err = format(name); err == nil {
				r.next()
			}
		case !list && (t.is("csv") || t.is("binary")):
			err = format(t.text)
		case t.is("header"):
			o.header, err = on()
		case t.is("delimiter"), t.is("delimiters"):
			delimiter, err = text()
		case t.is("null"):
			null, err = text()
		case t.is("quote"):
			quote, err = text()
		case t.is("escape"):
			escape, err = text()
		case t.is("encoding"):
			var e *string
			if e, err = text(); err == nil && !strings.EqualFold(strings.ReplaceAll(*e, "-", ""), "utf8") {
				err = sqlerr.New(sqlerr.FeatureNotSupported, sqlerr.Pos{Start: t.start, End: t.end}, "texts are UTF-8; encoding %q is not supported", *e)
			}
		case t.is("freeze"):
			_, err = on()
		case t.is("force_quote"), t.is("force"):
			if t.is("force") && !r.accept("quote") {
				return r.unexpected()
			}
			if r.acceptSign("*") {
				o.forceQuote = []string{"*"}
				break
			}
			open := r.acceptSign("(")
			for {
				name, err := r.ident()
				if err != nil {
					return err
				}
				o.forceQuote = append(o.forceQuote, strings.ToLower(name))
				if !r.acceptSign(",") {
					break
				}
			}
			if open && !r.acceptSign(")") {
				return r.unexpected()
			}
		default:
			return sqlerr.New(sqlerr.SyntaxError, sqlerr.Pos{Start: t.start, End: t.end}, "option %q of COPY is not known", t.text)
		}
		if err != nil {
			return err
		}
		if list {
			if !r.acceptSign(",") && !r.t.isSign(")") {
				return r.unexpected()
			}
		}
	}
	if list && !r.acceptSign(")") {
		return r.unexpected()
	}
	return o.fill(delimiter, null, quote, escape)
}

// fill takes the options that have defaults by format, and checks them.
func (o *copyOptions) fill(delimiter, null, quote, escape *string) error {
	bad := func(what string) error {
		return sqlerr.New(sqlerr.InvalidArgument, sqlerr.Pos{}, "COPY %s", what)
	}
	if o.format == copyBinary || o.format == copyJSON {
		if delimiter != nil || null != nil || quote != nil || escape != nil || o.header && o.format == copyBinary {
			return bad("of this format takes no DELIMITER, NULL, QUOTE, ESCAPE or HEADER")
		}
		return nil
	}
	o.delimiter, o.null, o.quote = '\t', `\N`, '"'
	if o.format == copyCSV {
		o.delimiter, o.null = ',', ""
	} else if quote != nil || escape != nil || len(o.forceQuote) > 0 {
		return bad("quotes are for csv only")
	}
	one := func(v *string, to *byte, what string) error {
		if v == nil {
			return nil
		}
		if len(*v) != 1 || *v == "\n" || *v == "\r" {
			return bad(what + " must be a single one-byte character")
		}
		*to = (*v)[0]
		return nil
	}
	if err := one(delimiter, &o.delimiter, "delimiter"); err != nil {
		return err
	}
	if err := one(quote, &o.quote, "quote"); err != nil {
		return err
	}
	o.escape = o.quote
	if err := one(escape, &o.escape, "escape"); err != nil {
		return err
	}
	if null != nil {
		if strings.ContainsAny(*null, "\r\n") {
			return bad("null representation cannot use newline or carriage return")
		}
		o.null = *null
	}
	if o.format == copyCSV && o.delimiter == o.quote {
		return bad("delimiter and quote must be different")
	}
	return nil
}

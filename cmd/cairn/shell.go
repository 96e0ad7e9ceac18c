package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/peterh/liner"

	"github.com/cairndb/cairn/engine"
)

const shellHelp = `Write SQL, over as many lines as you like, and end it with a semicolon.
  \d             list the stores          (SHOW TABLES)
  \d NAME        columns of a store       (DESCRIBE NAME)
  \f FORMAT      table, csv, json or ndjson
  \i FILE        run the statement in a file
  \?             this help
  \q             leave (also Ctrl-D)
Ctrl-C ends a running query, or drops what you have typed.
`

// shell reads statements from a terminal until its end.
func (p *program) shell(ctx context.Context, lake *engine.Lake) error {
	line := liner.NewLiner()
	defer line.Close()
	line.SetCtrlCAborts(true)
	line.SetMultiLineMode(true)
	line.SetCompleter(completer(lake))
	history := historyFile()
	if f, err := os.Open(history); err == nil {
		_, _ = line.ReadHistory(f)
		f.Close()
	}
	defer saveHistory(line, history)

	fmt.Fprintf(p.out, "cairn %s on %s. \\? for help, \\q to leave.\n", version().Version, lake.Dir())
	return p.converse(ctx, lake, func(more bool) (string, error) {
		prompt := "cairn> "
		if more {
			prompt = "    -> "
		}
		s, err := line.Prompt(prompt)
		if err == nil && strings.TrimSpace(s) != "" {
			line.AppendHistory(s)
		}
		return s, err
	})
}

// converse runs what prompt returns, statement by statement. prompt is told
// whether the line continues a statement.
func (p *program) converse(ctx context.Context, lake *engine.Lake, prompt func(more bool) (string, error)) error {
	var pending strings.Builder
	for ctx.Err() == nil {
		s, err := prompt(pending.Len() > 0)
		switch {
		case errors.Is(err, liner.ErrPromptAborted):
			pending.Reset()
			continue
		case errors.Is(err, io.EOF):
			fmt.Fprintln(p.out)
			return nil
		case err != nil:
			return err
		}
		if pending.Len() == 0 && strings.HasPrefix(strings.TrimSpace(s), `\`) {
			if leave := p.shellCommand(ctx, lake, strings.TrimSpace(s)); leave {
				return nil
			}
			continue
		}
		pending.WriteString(s)
		pending.WriteByte('\n')
		text, complete := statementEnd(pending.String())
		if strings.TrimSpace(text) == "" && complete {
			pending.Reset()
			continue
		}
		if complete {
			pending.Reset()
			p.runInShell(ctx, lake, text)
		}
	}
	return ctx.Err()
}

// runInShell runs one statement; Ctrl-C ends it and not the shell.
func (p *program) runInShell(ctx context.Context, lake *engine.Lake, text string) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	if err := p.timed(ctx, lake, text); err != nil {
		fmt.Fprintf(p.err, "error: %s\n", printable(err.Error()))
	}
}

func (p *program) shellCommand(ctx context.Context, lake *engine.Lake, s string) (leave bool) {
	word, rest, _ := strings.Cut(s, " ")
	rest = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), ";"))
	switch {
	case word == `\q`:
		return true
	case word == `\?` || word == `\h`:
		fmt.Fprint(p.out, shellHelp)
	case word == `\d` && rest == "":
		p.runInShell(ctx, lake, "SHOW TABLES")
	case word == `\d`:
		p.runInShell(ctx, lake, "DESCRIBE "+rest)
	case word == `\f`:
		if err := checkFormat(rest); err != nil {
			fmt.Fprintf(p.err, "error: %s\n", err)
		} else {
			p.format = rest
		}
	case word == `\i`:
		f, err := os.Open(rest)
		if err != nil {
			fmt.Fprintf(p.err, "error: %s\n", err)
			return false
		}
		defer f.Close()
		text, _, err := readText(f)
		if err != nil {
			fmt.Fprintf(p.err, "error: %s\n", err)
			return false
		}
		p.runInShell(ctx, lake, text)
	default:
		fmt.Fprintf(p.err, "error: unknown command %s; \\? lists the commands\n", printable(word))
	}
	return false
}

// statementEnd tells whether text ends a statement: a semicolon outside quotes
// and comments with nothing but space after it. An empty text is complete.
func statementEnd(text string) (statement string, complete bool) {
	end := -1
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\'' || c == '"':
			j := strings.IndexByte(text[i+1:], c)
			if j < 0 {
				return text, false
			}
			i += j + 1
			end = -1
		case strings.HasPrefix(text[i:], "--"):
			j := strings.IndexByte(text[i:], '\n')
			if j < 0 {
				return text, false
			}
			i += j
		case strings.HasPrefix(text[i:], "/*"):
			j := strings.Index(text[i+2:], "*/")
			if j < 0 {
				return text, false
			}
			i += j + 3
		case c == ';':
			end = i
		case c != ' ' && c != '\t' && c != '\n' && c != '\r':
			end = -1
		}
	}
	if strings.TrimSpace(text) == "" {
		return text, true
	}
	return text, end >= 0
}

var shellWords = []string{"SELECT ", "FROM ", "WHERE ", "GROUP BY ", "ORDER BY ", "LIMIT ", "HAVING ", "DISTINCT ", "EXPLAIN ", "EXPLAIN ANALYZE ",
	"SHOW TABLES;", "SHOW FUNCTIONS;", "DESCRIBE ", "BETWEEN ", "count(*)", "eventTime", "eventName", "eventSource", "eventID", "userIdentity.",
	"userIdentity.arn", "userIdentity.accountId", "userIdentity.type", "sourceIPAddress", "userAgent", "awsRegion", "errorCode", "errorMessage",
	"requestParameters", "responseElements", "additionalEventData", "recipientAccountId", "readOnly", "managementEvent", "element_at(", "date_trunc("}

// completer offers keywords, columns and store names for the last word.
func completer(lake *engine.Lake) liner.Completer {
	return func(line string) (out []string) {
		at := strings.LastIndexAny(line, " (,=") + 1
		word := strings.ToLower(line[at:])
		if word == "" {
			return nil
		}
		words := shellWords
		for _, s := range lake.Stores() {
			words = append(words[:len(words):len(words)], s.Name())
		}
		for _, w := range words {
			if strings.HasPrefix(strings.ToLower(w), word) {
				out = append(out, line[:at]+w)
			}
		}
		return out
	}
}

// historyFile is where the shell keeps its history, or "".
func historyFile() string {
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "cairn", "history")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".local", "state", "cairn", "history")
}

// saveHistory keeps the history for this user's eyes only: statements can hold
// names and addresses. Failing to is not worth a word.
func saveHistory(line *liner.State, path string) {
	if path == "" || os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = line.WriteHistory(f)
}

package pg

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// TestScroll goes to and fro in a cursor, as PostgreSQL 15 does by the same statements.
func TestScroll(t *testing.T) {
	f := newFixture(t, 20_000, nil)
	c := f.connect(t).PgConn()
	ctx := context.Background()
	ask := func(text string) (string, error) {
		results, err := c.Exec(ctx, text).ReadAll()
		var out []string
		for _, r := range results {
			for _, row := range r.Rows {
				out = append(out, string(row[0]))
			}
			if r.CommandTag.String()[:4] == "MOVE" {
				out = append(out, r.CommandTag.String())
			}
		}
		return strings.Join(out, " "), err
	}
	for _, declare := range []string{"BEGIN; DECLARE c SCROLL CURSOR FOR SELECT * FROM generate_series(1, 5) g",
		"BEGIN; DECLARE c INSENSITIVE SCROLL CURSOR WITH HOLD FOR SELECT * FROM generate_series(1, 5) g; COMMIT; BEGIN"} {
		if _, err := ask(declare); err != nil {
			t.Fatal(err)
		}
		for _, step := range [][2]string{
			{"FETCH 2 FROM c", "1 2"},
			{"FETCH PRIOR FROM c", "1"},
			{"FETCH PRIOR FROM c", ""},
			{"FETCH PRIOR FROM c", ""},
			{"FETCH NEXT FROM c", "1"},
			{"FETCH LAST FROM c", "5"},
			{"FETCH NEXT FROM c", ""},
			{"FETCH NEXT FROM c", ""},
			{"FETCH RELATIVE 0 FROM c", ""},
			{"FETCH PRIOR FROM c", "5"},
			{"FETCH RELATIVE 0 FROM c", "5"},
			{"FETCH FORWARD 0 FROM c", "5"},
			{"FETCH RELATIVE -2 FROM c", "3"},
			{"FETCH ABSOLUTE 2 FROM c", "2"},
			{"FETCH ABSOLUTE -2 FROM c", "4"},
			{"FETCH ABSOLUTE -9 FROM c", ""},
			{"FETCH NEXT FROM c", "1"},
			{"FETCH ABSOLUTE 9 FROM c", ""},
			{"FETCH BACKWARD 2 FROM c", "5 4"},
			{"FETCH BACKWARD -2 FROM c", "5"},
			{"FETCH BACKWARD ALL FROM c", "5 4 3 2 1"},
			{"FETCH FORWARD ALL FROM c", "1 2 3 4 5"},
			{"FETCH BACKWARD ALL FROM c", "5 4 3 2 1"},
			{"FETCH ABSOLUTE 0 FROM c", ""},
			{"FETCH FIRST FROM c", "1"},
			{"FETCH -1 FROM c", ""},
			{"MOVE FORWARD 3 IN c", "MOVE 3"},
			{"FETCH RELATIVE 0 FROM c", "3"},
			{"MOVE LAST IN c", "MOVE 1"},
			{"FETCH BACKWARD 10 FROM c", "4 3 2 1"},
			{"MOVE BACKWARD 1 IN c", "MOVE 0"},
			{"MOVE FORWARD ALL IN c", "MOVE 5"},
			{"MOVE BACKWARD ALL IN c", "MOVE 5"},
			{"FETCH RELATIVE 3 FROM c", "3"},
			{"FETCH RELATIVE -5 FROM c", ""},
			{"FETCH RELATIVE 99 FROM c", ""},
			{"MOVE RELATIVE -1 IN c", "MOVE 1"},
			{"FETCH ALL FROM c", ""},
			{"MOVE ABSOLUTE 3 IN c", "MOVE 1"},
			{"FETCH 0 FROM c", "3"},
		} {
			if got, err := ask(step[0]); err != nil || got != step[1] {
				t.Errorf("%s: %q, want %q; %v", step[0], got, step[1], err)
			}
		}
		if _, err := ask("CLOSE c; COMMIT"); err != nil {
			t.Fatal(err)
		}
	}

	// Without SCROLL a cursor goes forward only, and says what to do.
	if _, err := ask("BEGIN; DECLARE c NO SCROLL CURSOR FOR SELECT * FROM generate_series(1, 5) g; FETCH 2 FROM c; FETCH ABSOLUTE 4 FROM c"); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"FETCH PRIOR FROM c", "FETCH FIRST FROM c", "FETCH LAST FROM c", "MOVE BACKWARD ALL IN c", "FETCH RELATIVE -1 FROM c", "FETCH ABSOLUTE 4 FROM c"} {
		_, err := ask("SAVEPOINT s; " + text)
		if e := codeIs(t, err, "55000"); !strings.Contains(e.Hint, "SCROLL") {
			t.Errorf("%s: %s", text, e.Hint)
		}
		if _, err := ask("ROLLBACK; BEGIN; DECLARE c NO SCROLL CURSOR FOR SELECT * FROM generate_series(1, 5) g; MOVE 4 IN c"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ask("ROLLBACK"); err != nil {
		t.Fatal(err)
	}

	// What it keeps counts among what the session may hold, and is free when it ends.
	if _, err := ask("BEGIN; DECLARE c SCROLL CURSOR FOR SELECT eventJson FROM events; MOVE 5000 IN c"); err != nil {
		t.Fatal(err)
	}
	if f.l.held.Load() == 0 {
		t.Error("nothing is counted")
	}
	_, err := ask("DECLARE d SCROLL CURSOR FOR SELECT a.eventJson FROM events a, UNNEST(sequence(1, 100)) u(n); FETCH LAST FROM d")
	codeIs(t, err, "53200")
	if _, err := ask("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if held := f.l.held.Load(); held != 0 {
		t.Errorf("%d bytes are counted, and nothing is open", held)
	}

	// Called by its name as a portal it goes on, in the binary form that it was declared with.
	if _, err := ask("BEGIN; DECLARE c BINARY SCROLL CURSOR FOR SELECT * FROM generate_series(1, 5) g; MOVE 3 IN c"); err != nil {
		t.Fatal(err)
	}
	front := c.Frontend()
	front.Send(&pgproto3.Execute{Portal: "c", MaxRows: 1})
	front.Send(&pgproto3.Sync{})
	if err := front.Flush(); err != nil {
		t.Fatal(err)
	}
	m, err := c.ReceiveMessage(ctx)
	if row, ok := m.(*pgproto3.DataRow); err != nil || !ok || string(row.Values[0]) != "\x00\x00\x00\x00\x00\x00\x00\x04" {
		t.Errorf("%#v, %v", m, err)
	}
	for {
		m, err := c.ReceiveMessage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := m.(*pgproto3.ReadyForQuery); ok {
			break
		}
	}
}

package clienttest

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/lib/pq"
)

// TestLibPQ runs lib/pq.
func TestLibPQ(t *testing.T) {
	ctx := context.Background()
	r := inProcess(t, "libpq", "github.com/lib/pq")
	db, err := sql.Open("postgres", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Ping(); err != nil {
		t.Fatal(err)
	}
	counts := func(want int64, query string, args ...any) func() error {
		return func() error {
			var n int64
			if err := db.QueryRow(query, args...).Scan(&n); err != nil {
				return err
			}
			return equal(n, want)
		}
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r.run(t, "query", counts(events, "SELECT count(*) FROM events"))
	r.run(t, "parameters", counts(events/4, "SELECT count(*) FROM events WHERE eventName = $1 AND eventTime >= $2", names[0], start))
	r.run(t, "array parameter", counts(events/2, "SELECT count(*) FROM events WHERE eventName = ANY($1)", pq.Array(names[:2])))
	r.run(t, "types", func() error {
		var b bool
		var i int64
		var f float64
		var s string
		var raw, obj []byte
		var at time.Time
		var null sql.NullString
		if err := db.QueryRow(`SELECT readOnly, 7::bigint, 2.5::double precision, eventName, '\x00ff'::bytea, userIdentity, eventTime, errorCode FROM events ORDER BY eventTime LIMIT 1`).
			Scan(&b, &i, &f, &s, &raw, &obj, &at, &null); err != nil {
			return err
		}
		var user map[string]any
		if err := json.Unmarshal(obj, &user); err != nil {
			return err
		}
		return equal([]any{b, i, f, s, string(raw), user["type"], at.UTC(), null.Valid}, []any{true, int64(7), 2.5, names[0], "\x00\xff", "IAMUser", start, false})
	})
	r.run(t, "column types", func() error {
		rows, err := db.Query("SELECT eventTime, eventName, readOnly, userIdentity FROM events LIMIT 1")
		if err != nil {
			return err
		}
		defer rows.Close()
		types, err := rows.ColumnTypes()
		if err != nil {
			return err
		}
		var got []string
		for _, t := range types {
			got = append(got, t.DatabaseTypeName())
		}
		return equal(got, []string{"TIMESTAMPTZ", "TEXT", "BOOL", "JSONB"})
	})
	r.run(t, "prepared statement", func() error {
		st, err := db.Prepare("SELECT count(*) FROM events WHERE eventName = $1")
		if err != nil {
			return err
		}
		defer st.Close()
		for _, name := range names {
			var n int64
			if err := st.QueryRow(name).Scan(&n); err != nil {
				return err
			}
			if err := equal(n, int64(events/4)); err != nil {
				return err
			}
		}
		return nil
	})
	r.run(t, "binary parameters", func() error {
		bin, err := sql.Open("postgres", "binary_parameters=yes")
		if err != nil {
			return err
		}
		defer bin.Close()
		var n int64
		if err := bin.QueryRow("SELECT count(*) FROM events WHERE eventName = $1 AND eventTime >= $2", names[0], start).Scan(&n); err != nil {
			return err
		}
		return equal(n, int64(events/4))
	})
	r.run(t, "several statements", func() error {
		rows, err := db.Query("SELECT 1; SELECT 2")
		if err != nil {
			return err
		}
		defer rows.Close()
		var got []int
		for more := true; more; more = rows.NextResultSet() {
			for rows.Next() {
				var n int
				if err := rows.Scan(&n); err != nil {
					return err
				}
				got = append(got, n)
			}
		}
		return errors.Join(rows.Err(), equal(got, []int{1, 2}))
	})
	r.run(t, "transaction", func() error {
		tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
		if err != nil {
			return err
		}
		var n int64
		if err := tx.QueryRow("SELECT count(*) FROM events").Scan(&n); err != nil {
			return err
		}
		return tx.Commit()
	})
	r.run(t, "COPY in", func() error {
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		st, err := tx.Prepare(`COPY "taken" ("eventjson") FROM STDIN`)
		if err != nil {
			return err
		}
		for i := range 300 {
			if _, err := st.Exec(takenRecord(i)); err != nil {
				return err
			}
		}
		if _, err := st.Exec(); err != nil {
			return err
		}
		if err := errors.Join(st.Close(), tx.Commit()); err != nil {
			return err
		}
		var back string
		if err := db.QueryRow("SELECT eventJson FROM taken WHERE eventID = $1", "20000000-0000-4000-8000-000000000007").Scan(&back); err != nil {
			return err
		}
		return errors.Join(equal(back, takenRecord(7)), counts(300, "SELECT count(*) FROM taken")())
	})
	r.run(t, "context that ends", func() error {
		short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		defer cancel()
		var n int64
		err := db.QueryRowContext(short, "SELECT count(*) FROM events a, events b, events c WHERE a.eventID || b.eventID || c.eventID LIKE '%none%'").Scan(&n)
		if err == nil {
			return errors.New("no error")
		}
		return counts(1, "SELECT 1")()
	})
	r.run(t, "error with code and position", func() error {
		_, err := db.Exec("SELECT nothing FROM events")
		var e *pq.Error
		if !errors.As(err, &e) {
			return fmt.Errorf("got %v", err)
		}
		return equal([]string{string(e.Code), e.Position}, []string{"42703", "8"})
	})
	r.run(t, "listener", func() error {
		l := pq.NewListener("user="+"admin", time.Second, time.Minute, nil)
		defer l.Close()
		if err := l.Listen("taken WHERE eventName = 'CreateRole'"); err != nil {
			return err
		}
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		st, err := tx.Prepare(`COPY "taken" ("eventjson") FROM STDIN`)
		if err != nil {
			return err
		}
		_, one := st.Exec(takenRecord(7000))
		_, end := st.Exec()
		if err := errors.Join(one, end, st.Close(), tx.Commit()); err != nil {
			return err
		}
		select {
		case n := <-l.Notify:
			return equal(n.Extra, takenRecord(7000))
		case <-time.After(20 * time.Second):
			return errors.New("no notification")
		}
	})
}

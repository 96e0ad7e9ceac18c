package clienttest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// TestPgx runs Go's pgx.
func TestPgx(t *testing.T) {
	ctx := context.Background()
	r := inProcess(t, "pgx", "github.com/jackc/pgx/v5")
	c, err := pgx.Connect(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	one := func(query string, args ...any) (n int64, err error) {
		err = c.QueryRow(ctx, query, args...).Scan(&n)
		return n, err
	}
	counts := func(want int64, query string, args ...any) func() error {
		return func() error {
			n, err := one(query, args...)
			if err != nil {
				return err
			}
			return equal(n, want)
		}
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r.run(t, "query", counts(events, "SELECT count(*) FROM events"))
	r.run(t, "parameters", counts(events/4, "SELECT count(*) FROM events WHERE eventName = $1 AND eventTime >= $2", names[0], start))
	r.run(t, "array parameter", counts(events/2, "SELECT count(*) FROM events WHERE eventName = ANY($1)", names[:2]))
	r.run(t, "named arguments", counts(events/4, "SELECT count(*) FROM events WHERE eventName = @name", pgx.NamedArgs{"name": names[1]}))
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		r.run(t, "mode: "+mode.String(), counts(events/4, "SELECT count(*) FROM events WHERE eventName = $1 AND readOnly = $2 AND eventTime < $3", mode, names[0], true, start.AddDate(1, 0, 0)))
	}
	r.run(t, "types", func() error { return types(ctx, c) })
	r.run(t, "NULLs", func() error {
		var s *string
		var t pgtype.Timestamptz
		var m map[string]any
		if err := c.QueryRow(ctx, "SELECT errorCode, NULL::timestamptz, responseElements FROM events LIMIT 1").Scan(&s, &t, &m); err != nil {
			return err
		}
		return equal([]bool{s == nil, t.Valid, m == nil}, []bool{true, false, true})
	})
	r.run(t, "rows into structs", func() error {
		type event struct {
			Name string
			At   time.Time
		}
		rows, err := c.Query(ctx, "SELECT eventName AS name, eventTime AS at FROM events ORDER BY eventTime")
		if err != nil {
			return err
		}
		all, err := pgx.CollectRows(rows, pgx.RowToStructByName[event])
		if err != nil {
			return err
		}
		return equal([]any{len(all), all[1].Name, all[1].At.UTC()}, []any{events, names[1], start.Add(time.Minute)})
	})
	r.run(t, "batch", func() error {
		b := &pgx.Batch{}
		for _, name := range names {
			b.Queue("SELECT count(*) FROM events WHERE eventName = $1", name)
		}
		r := c.SendBatch(ctx, b)
		for range names {
			var n int64
			if err := r.QueryRow().Scan(&n); err != nil {
				return err
			}
			if err := equal(n, int64(events/4)); err != nil {
				return err
			}
		}
		return r.Close()
	})
	r.run(t, "batch that fails in its middle", func() error {
		b := &pgx.Batch{}
		b.Queue("SELECT 1")
		b.Queue("SELECT 1 / $1::int", 0)
		b.Queue("SELECT 2")
		r := c.SendBatch(ctx, b)
		_, first := r.Exec()
		_, second := r.Exec()
		closed := r.Close()
		var e *pgconn.PgError
		if !errors.As(second, &e) || e.Code != "22012" {
			return fmt.Errorf("got %v", second)
		}
		if first != nil || closed == nil {
			return fmt.Errorf("first %v, closed %v", first, closed)
		}
		return counts(1, "SELECT 1")()
	})
	r.run(t, "CopyFrom", func() error {
		n, err := c.CopyFrom(ctx, pgx.Identifier{"taken"}, []string{"eventjson"}, pgx.CopyFromSlice(500, func(i int) ([]any, error) { return []any{takenRecord(i)}, nil }))
		if err != nil {
			return err
		}
		if err := equal(n, int64(500)); err != nil {
			return err
		}
		var back string
		if err := c.QueryRow(ctx, "SELECT eventJson FROM taken WHERE eventID = $1", "20000000-0000-4000-8000-000000000007").Scan(&back); err != nil {
			return err
		}
		return equal(back, takenRecord(7))
	})
	r.run(t, "CopyFrom with the schema's name", func() error {
		n, err := c.CopyFrom(ctx, pgx.Identifier{"public", "taken"}, []string{"eventjson"}, pgx.CopyFromRows([][]any{{takenRecord(1001)}}))
		if err != nil {
			return err
		}
		return equal(n, int64(1))
	})
	r.run(t, "CopyFrom given up by the client", func() error {
		_, err := c.CopyFrom(ctx, pgx.Identifier{"taken"}, []string{"eventjson"}, pgx.CopyFromSlice(500, func(i int) ([]any, error) {
			if i == 100 {
				return nil, errors.New("no more")
			}
			return []any{takenRecord(2000 + i)}, nil
		}))
		if err == nil {
			return errors.New("no error")
		}
		return counts(1, "SELECT 1")()
	})
	r.run(t, "CopyTo", func() error {
		var out strings.Builder
		tag, err := c.PgConn().CopyTo(ctx, &out, "COPY (SELECT eventName, eventID FROM events) TO STDOUT (FORMAT csv)")
		if err != nil {
			return err
		}
		return equal([]any{tag.RowsAffected(), strings.Count(out.String(), "\n")}, []any{int64(events), events})
	})
	r.run(t, "transaction", func() error {
		return pgx.BeginTxFunc(ctx, c, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
			var n int64
			if err := tx.QueryRow(ctx, "SELECT count(*) FROM events").Scan(&n); err != nil {
				return err
			}
			return pgx.BeginFunc(ctx, tx, func(nested pgx.Tx) error {
				return nested.QueryRow(ctx, "SELECT count(*) FROM events").Scan(&n)
			})
		})
	})
	r.run(t, "failed transaction", func() error {
		tx, err := c.Begin(ctx)
		if err != nil {
			return err
		}
		_, first := tx.Exec(ctx, "SELECT nothing FROM events")
		_, second := tx.Exec(ctx, "SELECT 1")
		if err := errors.Join(wants(first, "42703"), wants(second, "25P02")); err != nil {
			return err
		}
		return tx.Rollback(ctx)
	})
	r.run(t, "error with code and position", func() error {
		_, err := c.Exec(ctx, "SELECT nothing FROM events")
		return wants(err, "42703")
	})
	r.run(t, "context that ends", func() error {
		short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		defer cancel()
		other, err := pgx.Connect(ctx, "")
		if err != nil {
			return err
		}
		defer other.Close(ctx)
		_, err = other.Exec(short, "SELECT count(*) FROM events a, events b, events c WHERE a.eventID || b.eventID || c.eventID LIKE '%none%'")
		if !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("got %v", err)
		}
		return nil
	})
	r.run(t, "cancel request", func() error {
		time.AfterFunc(300*time.Millisecond, func() { _ = c.PgConn().CancelRequest(ctx) })
		_, err := c.Exec(ctx, "SELECT count(*) FROM events a, events b, events c WHERE a.eventID || b.eventID || c.eventID LIKE '%none%'")
		return wants(err, "57014")
	})
	r.run(t, "pipeline", func() error {
		p := c.PgConn().StartPipeline(ctx)
		for i := range 20 {
			p.SendQueryParams("SELECT $1::int", [][]byte{fmt.Append(nil, i)}, nil, nil, nil)
		}
		if err := p.Sync(); err != nil {
			return err
		}
		for i := range 20 {
			r, err := p.GetResults()
			if err != nil {
				return err
			}
			rr, ok := r.(*pgconn.ResultReader)
			if !ok {
				return fmt.Errorf("got a %T", r)
			}
			res := rr.Read()
			if res.Err != nil {
				return res.Err
			}
			if err := equal(string(res.Rows[0][0]), fmt.Sprint(i)); err != nil {
				return err
			}
		}
		return p.Close()
	})
	r.run(t, "LISTEN", func() error {
		other, err := pgx.Connect(ctx, "")
		if err != nil {
			return err
		}
		defer other.Close(ctx)
		if _, err := other.Exec(ctx, `LISTEN "taken WHERE eventName = 'CreateRole'"`); err != nil {
			return err
		}
		if _, err := c.CopyFrom(ctx, pgx.Identifier{"taken"}, []string{"eventjson"}, pgx.CopyFromRows([][]any{{takenRecord(5000)}})); err != nil {
			return err
		}
		limit, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		n, err := other.WaitForNotification(limit)
		if err != nil {
			return err
		}
		return equal(n.Payload, takenRecord(5000))
	})
	r.run(t, "pool", func() error {
		p, err := pgxpool.New(ctx, "pool_max_conns=4")
		if err != nil {
			return err
		}
		defer p.Close()
		done := make(chan error, 40)
		for range cap(done) {
			go func() {
				var n int64
				done <- errors.Join(p.QueryRow(ctx, "SELECT count(*) FROM events WHERE eventName = $1", names[0]).Scan(&n), equal(n, int64(events/4)))
			}()
		}
		for range cap(done) {
			err = errors.Join(err, <-done)
		}
		return err
	})
	r.run(t, "types by name", func() error {
		for _, name := range []string{"_text", "_int8"} {
			if _, err := c.LoadType(ctx, name); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	})
}

func wants(err error, code string) error {
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.Code != code {
		return fmt.Errorf("got %v, want SQLSTATE %s", err, code)
	}
	return nil
}

// types reads a value of every type, in the binary form where pgx has one.
func types(ctx context.Context, c *pgx.Conn) error {
	var (
		b    bool
		i2   int16
		i4   int32
		i8   int64
		f4   float32
		f8   float64
		num  pgtype.Numeric
		s    string
		raw  []byte
		day  time.Time
		tod  pgtype.Time
		at   time.Time
		span pgtype.Interval
		id   pgtype.UUID
		obj  map[string]any
		js   json.RawMessage
		ip   string
	)
	err := c.QueryRow(ctx, `SELECT true, 7::smallint, 70000::integer, 7000000000::bigint, 1.5::real, 2.25::double precision, -123.4500::decimal(12,4), 'é🙂',
		'\x00ff'::bytea, date '2026-02-03', time '10:11:12.5', timestamptz '2026-01-02 03:04:05.678901+00', interval '36' hour,
		'00112233-4455-6677-8899-aabbccddeeff'::uuid, ARRAY['a', NULL, 'c "q"'], userIdentity, json '{"a": [1, null]}', sourceIPAddress
		FROM events ORDER BY eventTime LIMIT 1`).
		Scan(&b, &i2, &i4, &i8, &f4, &f8, &num, &s, &raw, &day, &tod, &at, &span, &id, &js, &obj, &js, &ip)
	if err != nil {
		return err
	}
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return err
	}
	return errors.Join(
		equal([]any{b, i2, i4, i8, f4, f8, s, string(raw), addr.String()}, []any{true, int16(7), int32(70000), int64(7000000000), float32(1.5), 2.25, "é🙂", "\x00\xff", "192.0.2.1"}),
		equal(new(big.Rat).SetFrac(num.Int, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-num.Exp)), nil)).FloatString(4), "-123.4500"),
		equal(day, time.Date(2026, 2, 3, 0, 0, 0, 0, time.UTC)), equal(tod.Microseconds, int64((10*3600+11*60+12)*1e6+5e5)),
		equal(at.UTC(), time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)), equal(span.Microseconds+int64(span.Days)*24*3600*1e6, int64(36*3600*1e6)),
		equal(id.String(), "00112233-4455-6677-8899-aabbccddeeff"), equal(obj["type"], "IAMUser"), equal(string(js), `{"a":[1,null]}`))
}

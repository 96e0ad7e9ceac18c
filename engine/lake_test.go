package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// event returns the record of a small, whole event.
func testEvent(i int) []byte {
	return []byte(fmt.Sprintf(`{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","userName":"user%d"},"eventTime":"2026-01-02T%02d:%02d:%02dZ","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"eu-west-1","requestParameters":{"bucketName":"bucket-%d","key":"k/%d"},"eventID":"%08x-0000-4000-8000-%012x","readOnly":true}`,
		i%7, i/3600%24, i/60%60, i%60, i%5, i, i, i))
}

func testEvents(from, to int) [][]byte {
	var out [][]byte
	for i := from; i < to; i++ {
		out = append(out, testEvent(i))
	}
	return out
}

// openTest opens a lake in memory, closed at the end of the test.
func openTest(t testing.TB, fs vfs.FS, o Options) *Lake {
	t.Helper()
	o.FS = fs
	l, err := Open("lake", &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func storeTest(t testing.TB, l *Lake) *Store {
	t.Helper()
	s, err := l.Store(DefaultStore)
	if errors.Is(err, ErrNotFound) {
		s, err = l.CreateStore(context.Background(), DefaultStore)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// appendTest appends records and demands that all are stored in order.
func appendTest(t testing.TB, s *Store, records [][]byte) {
	t.Helper()
	first := s.Events()
	verdicts, err := s.Append(context.Background(), records)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range verdicts {
		if v.Status != Stored || v.Seq != first+uint64(i) {
			t.Fatalf("record %d: %+v, want stored as %d", i, v, first+uint64(i))
		}
	}
}

// sameRecords demands that the store holds exactly these records in this order.
func sameRecords(t testing.TB, s *Store, want [][]byte) {
	t.Helper()
	if n := s.Events(); n != uint64(len(want)) {
		t.Fatalf("%d events, want %d", n, len(want))
	}
	for i := range want {
		got, err := s.Record(context.Background(), uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want[i]) {
			t.Fatalf("record %d is %s, want %s", i, got, want[i])
		}
	}
}

func TestAppendAndReopen(t *testing.T) {
	fs := vfs.NewMem()
	want := testEvents(0, 100)
	l := openTest(t, fs, Options{})
	s := storeTest(t, l)
	appendTest(t, s, want[:60])
	appendTest(t, s, want[60:])
	sameRecords(t, s, want)
	if _, err := s.Record(context.Background(), 100); !errors.Is(err, ErrNotFound) {
		t.Errorf("record beyond the end: %v", err)
	}
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = openTest(t, fs, Options{})
		s = storeTest(t, l)
		sameRecords(t, s, want)
	}
}

func TestVerdicts(t *testing.T) {
	for _, rows := range []int{0, 4} { // in the memtable, in segments
		t.Run(fmt.Sprint(rows), func(t *testing.T) {
			l := openTest(t, vfs.NewMem(), Options{SegmentRows: rows})
			s := storeTest(t, l)
			base := testEvents(0, 12)
			appendTest(t, s, base)
			waitSealed(t, s, rows)
			other := []byte(strings.Replace(string(base[3]), "GetObject", "PutObject", 1))
			fresh := testEvent(99)
			verdicts, err := s.Append(context.Background(), [][]byte{base[3], other, other, []byte(`{"eventVersion":1}`), []byte(`nonsense`), fresh, fresh})
			if err != nil {
				t.Fatal(err)
			}
			want := []Verdict{
				{Status: Duplicate, Seq: 3}, {Status: Conflict, Seq: 12}, {Status: Duplicate, Seq: 12},
				{Status: Refused}, {Status: Refused}, {Status: Stored, Seq: 13}, {Status: Duplicate, Seq: 13},
			}
			for i, v := range verdicts {
				if v.Status == Refused && (v.Reason == "" || v.Detail == "") {
					t.Errorf("refusal %d has no reason: %+v", i, v)
				}
				v.Reason, v.Detail = "", ""
				if v != want[i] {
					t.Errorf("verdict %d is %+v, want %+v", i, v, want[i])
				}
			}
			sameRecords(t, s, append(base, other, fresh))
		})
	}
}

// waitSealed waits until all full memtables are segments.
func waitSealed(t testing.TB, s *Store, rows int) {
	t.Helper()
	for rows > 0 {
		s.lake.sealer.Lock()
		waiting, changed := s.lake.sealer.waiting, s.lake.sealer.changed
		s.lake.sealer.Unlock()
		if waiting == 0 {
			return
		}
		<-changed
	}
}

func TestSealedEventsSurviveReopening(t *testing.T) {
	fs := vfs.NewMem()
	want := testEvents(0, 1000)
	o := Options{SegmentRows: 64, NoMerge: true}
	l := openTest(t, fs, o)
	s := storeTest(t, l)
	for i := 0; i < len(want); i += 50 {
		appendTest(t, s, want[i:i+50])
	}
	waitSealed(t, s, 64)
	if n := len(s.mu.segments); n != 15 {
		t.Errorf("%d segments, want 15", n)
	}
	sameRecords(t, s, want)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openTest(t, fs, o)
	s = storeTest(t, l)
	sameRecords(t, s, want)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	// Now with merging: 15 segments of 64 rows become larger ones.
	o.NoMerge, o.SegmentRows, o.MemtableRows = false, 4096, 64
	l = openTest(t, fs, o)
	s = storeTest(t, l)
	appendTest(t, s, testEvents(1000, 1100))
	waitSealed(t, s, 64)
	l.merger.poke()
	deadline := 0
	for {
		s.mu.RLock()
		n := len(s.mu.segments)
		s.mu.RUnlock()
		if n < 10 || deadline > 1000 {
			break
		}
		deadline++
		<-sleep()
	}
	sameRecords(t, s, testEvents(0, 1100))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openTest(t, fs, o)
	sameRecords(t, storeTest(t, l), testEvents(0, 1100))
}

package event

import (
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	at := func(s string) int64 {
		t.Helper()
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return v.UnixMicro()
	}
	for _, test := range []struct{ in, want string }{
		{"2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"},
		{"1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"},
		{"0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"},
		{"9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"},
		{"2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"},
		{"2000-02-29T12:00:00Z", "2000-02-29T12:00:00Z"},
		{"2023-03-01T00:00:00Z", "2023-03-01T00:00:00Z"},
		{"2026-01-02 03:04:05", "2026-01-02T03:04:05Z"},
		{"2026-01-02 03:04:05Z", "2026-01-02T03:04:05Z"},
		{"2026-01-02T03:04:05", "2026-01-02T03:04:05Z"},
		{"2026-01-02t03:04:05z", "2026-01-02T03:04:05Z"},
		{"2026-01-02 03:04:05.000 UTC", "2026-01-02T03:04:05Z"},
		{"2026-01-02 03:04:05.1", "2026-01-02T03:04:05.1Z"},
		{"2026-01-02 03:04:05.123456789", "2026-01-02T03:04:05.123456Z"},
		{"2026-01-02 03:04:05,25Z", "2026-01-02T03:04:05.25Z"},
		{"2026-01-02T03:04:05+01:00", "2026-01-02T02:04:05Z"},
		{"2026-01-02T03:04:05.5-0930", "2026-01-02T12:34:05.5Z"},
		{"2026-01-01T00:04:05+01", "2025-12-31T23:04:05Z"},
		{"20131102T010628Z", "2013-11-02T01:06:28Z"},
		{"20131102T010628", "2013-11-02T01:06:28Z"},
		{"20131102T010628.5+0100", "2013-11-02T00:06:28.5Z"},
		{"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"},
	} {
		got, ok := ParseTime(test.in)
		if want := at(test.want); !ok || got != want {
			t.Errorf("%q is %s (%v), want %s", test.in, FormatTime(got), ok, test.want)
		}
	}
	for _, in := range []string{
		"", "2026", "2026-01-02", "2026-01-02T03:04", "2026-01-02T03:04Z", "T03:04:05Z", "1767323045", "1767323045000",
		"2026-13-02T03:04:05Z", "2026-00-02T03:04:05Z", "2026-01-32T03:04:05Z", "2026-01-00T03:04:05Z", "2025-02-29T03:04:05Z",
		"1900-02-29T03:04:05Z", "2026-01-02T24:00:00Z", "2026-01-02T03:60:05Z", "2026-01-02T03:04:61Z", "2026-01-02T03:04:60Z",
		"0000-01-01T00:00:00Z", "9999-12-31T23:59:60Z", "9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+01:00",
		"2026-01-02T03:04:05ZZ", "2026-01-02T03:04:05 Z", " 2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z ", "2026-01-02T03:04:05.Z",
		"2026-01-02  03:04:05Z", "2026-01-02T03: 04: 05Z", "2026-01-02T03:04:05+15:00", "2026-01-02T03:04:05+01:60", "2026-01-02T03:04:05+1",
		"2026-01-02T03:04:05+", "2026-01-02T0304:05Z", "20260102T03:04:05Z", "2026-1-02T03:04:05ZZ", "2O26-01-02T03:04:05Z", "2026-01-02TT03:04:05Z",
		"2026-01-02x03:04:05Z", "Fri Jan  2 03:04:05 2026",
	} {
		if got, ok := ParseTime(in); ok {
			t.Errorf("%q is read as %s", in, FormatTime(got))
		}
	}
}

func TestFormatTime(t *testing.T) {
	for _, test := range []struct {
		micros int64
		want   string
	}{
		{0, "1970-01-01T00:00:00Z"}, {-1, "1969-12-31T23:59:59.999999Z"}, {1_000, "1970-01-01T00:00:00.001Z"},
		{timeMin, "0001-01-01T00:00:00Z"}, {timeMax, "9999-12-31T23:59:59.999999Z"},
	} {
		if got := FormatTime(test.micros); got != test.want {
			t.Errorf("%d is %s, want %s", test.micros, got, test.want)
		}
	}
	// Every day for 2,000 years, against the standard library.
	day := time.Date(1000, 1, 1, 12, 0, 0, 0, time.UTC)
	for range 2000 * 366 {
		day = day.AddDate(0, 0, 1)
		micros := day.UnixMicro()
		if got := FormatTime(micros); got != day.Format("2006-01-02T15:04:05Z") {
			t.Fatalf("%v is %s", day, got)
		}
		if back, ok := ParseTime(day.Format("2006-01-02T15:04:05Z")); !ok || back != micros {
			t.Fatalf("%v reads as %d", day, back)
		}
	}
	for _, m := range []int64{-1 << 63, 1<<63 - 1, timeMax + 1} {
		if got := FormatTime(m); got == "" {
			t.Errorf("%d", m)
		}
	}
}

func TestCutToMillis(t *testing.T) {
	for in, want := range map[int64]int64{0: 0, 999: 0, 1000: 1000, 1999: 1000, -1: -1000, -1000: -1000} {
		if got := cutToMillis(in); got != want {
			t.Errorf("%d gives %d, want %d", in, got, want)
		}
	}
}

func FuzzTime(f *testing.F) {
	f.Add("2026-01-02T03:04:05.123456+01:00", int64(0))
	f.Add("20131102T010628Z", int64(timeMax))
	f.Fuzz(func(t *testing.T, s string, micros int64) {
		if v, ok := ParseTime(s); ok {
			if back, ok := ParseTime(FormatTime(v)); !ok || back != v {
				t.Errorf("%q is %d, then %d", s, v, back)
			}
			if slow, ok := parseTimeForms(s); !ok || slow != v {
				t.Errorf("%q is %d, but %d on the long way", s, v, slow)
			}
			if std, err := time.Parse(time.RFC3339Nano, s); err == nil && std.UnixMicro() != v {
				t.Errorf("%q is %d, the standard library says %d", s, v, std.UnixMicro())
			}
		}
		if micros >= timeMin && micros <= timeMax {
			if back, ok := ParseTime(FormatTime(micros)); !ok || back != micros {
				t.Errorf("%d is written %s and read as %d", micros, FormatTime(micros), back)
			}
		} else {
			FormatTime(micros)
		}
	})
}

func BenchmarkParseTime(b *testing.B) {
	for b.Loop() {
		if _, ok := ParseTime("2026-01-02T03:04:05Z"); !ok {
			b.Fatal("not read")
		}
	}
}

func BenchmarkParseTimeWithFraction(b *testing.B) {
	for b.Loop() {
		if _, ok := ParseTime("2026-01-02 03:04:05.123456789"); !ok {
			b.Fatal("not read")
		}
	}
}

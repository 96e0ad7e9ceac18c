package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"
)

// FuzzRequest takes any body for every operation: what is not valid is told by its member.
func FuzzRequest(f *testing.F) {
	for i, text := range []string{`{"Name":"abc","TagsList":[{"Key":"a"}]}`, `{"MaxResults":1e2,"StartTime":1.5}`, `{"AdvancedEventSelectors":[{"FieldSelectors":[{"Field":"a","Equals":["b"]}]}]}`,
		`{"Dimensions":{"EventName":"x"}}`, `{"a":[[[[{}]]]]}`, `{"Widgets":[{"QueryStatement":"?","ViewProperties":{"abc":"d"}}]}`} {
		f.Add(i*7, []byte(text))
	}
	f.Fuzz(func(t *testing.T, n int, body []byte) {
		in, err := parseBody(body)
		if err != nil {
			return
		}
		op := operations[(n%len(operations)+len(operations))%len(operations)]
		out, err := op.input.check(in, "")
		var bad *invalid
		if err != nil {
			if !errors.As(err, &bad) || op.input.find(bad.member) == nil {
				t.Errorf("%s: %v", op.name, err)
			}
			return
		}
		// What was taken is taken again as it is.
		b, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseBody(b)
		if err == nil {
			_, err = op.input.check(again, "")
		}
		if err != nil {
			t.Errorf("%s: %s is taken, %s is not: %v", op.name, body, b, err)
		}
	})
}

func FuzzToken(f *testing.F) {
	key, bound, now := []byte("key"), []byte("bound"), time.Unix(1_800_000_000, 0)
	f.Add(sealToken(key, bound, "position", now))
	f.Add("abcd")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := openToken(key, bound, text, now); err == nil && sealToken(key, bound, p, now) != text {
			// One issued at another time is not among the seeds.
			t.Errorf("%q opens to %q", text, p)
		}
	})
}

func TestTokens(t *testing.T) {
	key, now := []byte("key"), time.Unix(1_800_000_000, 0)
	token := sealToken(key, []byte("request"), "position", now)
	if p, err := openToken(key, []byte("request"), token, now.Add(tokenTime)); err != nil || p != "position" {
		t.Error(p, err)
	}
	for what, err := range map[string]error{
		"another request": second(openToken(key, []byte("requests"), token, now)),
		"another key":     second(openToken([]byte("k"), []byte("request"), token, now)),
		"too late":        second(openToken(key, []byte("request"), token, now.Add(tokenTime+time.Second))),
		"cut off":         second(openToken(key, []byte("request"), token[:len(token)-2], now)),
	} {
		if err == nil {
			t.Errorf("%s: it is taken", what)
		}
	}
}

func second(_ string, err error) error { return err }

func FuzzFrames(f *testing.F) {
	f.Add([]byte(resultsMagic), int64(0))
	f.Add([]byte(resultsMagic+"\x02\x00\x00\x00\x01\x00\x00\x0012345678[]"), int64(0))
	f.Fuzz(func(t *testing.T, b []byte, from int64) {
		_ = readFrames(bytes.NewReader(b), max(0, from), func(rows []json.RawMessage) (bool, error) { return true, nil })
	})
}

func FuzzState(f *testing.F) {
	b, err := encodeState(&savedQuery{ID: "a"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, v := range []any{&savedQuery{}, &channel{}, &importJob{}, &dashboard{}, &storeSettings{}, &tags{}, &delegates{}, &eventConfig{}} {
			_ = decodeState(b, v)
		}
	})
}

func FuzzPolicy(f *testing.F) {
	of := arn{"eu-west-1", "111122223333", channelARN, "00000000-0000-4000-8000-000000000000"}
	f.Add(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"cloudtrail-data:PutAuditEvents","Resource":"` + of.String() + `"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := parsePolicy(text, of); err == nil && len(p.Statement) == 0 {
			t.Errorf("%q has no statement", text)
		}
	})
}

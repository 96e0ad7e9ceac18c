package auth_test

import (
	"encoding/base64"
	"reflect"
	"testing"

	"github.com/cairndb/cairn/server/auth"
)

// A verifier that is taken from outside is what it is written as again.
func FuzzVerifier(f *testing.F) {
	salt, err := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	if err != nil {
		f.Fatal(err)
	}
	good := auth.FormatVerifier(auth.VerifierOf(f, "pencil", salt, 4096))
	for _, text := range []string{
		good, good[:len(good)-1], good + "=", "SCRAM-SHA-256$", "SCRAM-SHA-256$4096:$:", "SCRAM-SHA-256$99999999999:AA==$AA==:AA==",
		"SCRAM-SHA-256$1" + good[len("SCRAM-SHA-256$4096"):], "md5d41d8cd98f00b204e9800998ecf8427e", "",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, ok, err := auth.ParseVerifier(text)
		if !ok || err != nil {
			if err == nil && v.Iterations != 0 {
				t.Fatalf("%q is no verifier, and gave %+v", text, v)
			}
			return
		}
		again, ok, err := auth.ParseVerifier(auth.FormatVerifier(v))
		if !ok || err != nil || !reflect.DeepEqual(again, v) {
			t.Fatalf("%q is %+v, and %+v once it is written again: %v", text, v, again, err)
		}
	})
}

package catalog

import (
	"errors"
	"reflect"
	"testing"
)

func samplePrincipals() []Principal {
	return []Principal{
		{Name: "Anna", Role: RoleReader, Stores: []string{"events", "other"}, Accounts: []string{"111122223333"}, Created: 5, Rotated: -7,
			Verifier: Verifier{Iterations: 4096, Salt: []byte("salt"), StoredKey: []byte("stored"), ServerKey: []byte("server")}},
		{Name: "annabel", Role: RoleAdmin, Stores: []string{All}, Accounts: []string{All}, Verifier: Verifier{Salt: []byte{}, StoredKey: []byte{}, ServerKey: []byte{}}},
	}
}

func TestPrincipals(t *testing.T) {
	tab := table{}
	want := samplePrincipals()
	for i := range want {
		want[i].Put(tab)
	}
	got, err := Principals(tab)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v, want %+v", got, err, want)
	}
	// The name of one is the beginning of the other's.
	if p, err := FindPrincipal(tab, "ANNA"); err != nil || p == nil || p.Name != "Anna" {
		t.Errorf("got %+v, %v", p, err)
	}
	if p, err := FindPrincipal(tab, "ann"); err != nil || p != nil {
		t.Errorf("got %+v, %v", p, err)
	}
	(&Principal{Name: "anna"}).Remove(tab)
	if p, err := FindPrincipal(tab, "Anna"); err != nil || p != nil {
		t.Errorf("a removed principal is there: %+v, %v", p, err)
	}
}

func TestPretence(t *testing.T) {
	tab := table{}
	if _, ok, err := Pretence(tab); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	want := [PretenceLen]byte{1, 2, 31: 9}
	PutPretence(tab, want)
	if got, ok, err := Pretence(tab); !ok || err != nil || got != want {
		t.Errorf("%x, %v, %v", got, ok, err)
	}
}

func TestDamagedPrincipals(t *testing.T) {
	tab := table{}
	list := samplePrincipals()
	for i := range list {
		list[i].Put(tab)
	}
	PutPretence(tab, [PretenceLen]byte{7})
	for key, value := range tab {
		for i := range value {
			value[i] ^= 0x10
			_, err := Principals(tab)
			if _, _, other := Pretence(tab); err == nil {
				err = other
			}
			var corrupt *CorruptError
			if !errors.As(err, &corrupt) {
				t.Fatalf("byte %d of record %q: %v", i, key, err)
			}
			value[i] ^= 0x10
		}
	}
	for _, bad := range []Principal{{Name: "a"}, {Name: "a", Role: roleMax + 1}, {Role: RoleAdmin}} {
		tab := table{}
		bad.Put(tab)
		if _, err := Principals(tab); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

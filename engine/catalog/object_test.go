package catalog

import (
	"reflect"
	"strings"
	"testing"
)

func TestObjects(t *testing.T) {
	tab := table{}
	o := Object{Kind: Channel, Name: "111122223333/eu-west-1/a", Body: []byte("\x01{}")}
	o.Put(tab)
	(&Object{Kind: Channel, Name: "111122223333/eu-west-1/ab"}).Put(tab)
	(&Object{Kind: Dashboard, Name: "111122223333/eu-west-1/a"}).Put(tab)
	got, err := FindObject(tab, Channel, o.Name)
	if err != nil || !reflect.DeepEqual(got, &o) {
		t.Fatalf("got %+v, %v", got, err)
	}
	n := 0
	if err := Objects(tab, Channel, "111122223333/", func(*Object) error { n++; return nil }); err != nil || n != 2 {
		t.Errorf("%d objects, %v", n, err)
	}
	o.Remove(tab)
	if got, err := FindObject(tab, Channel, o.Name); got != nil || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []Object{{Kind: 0, Name: "a"}, {Kind: objectKindMax + 1, Name: "a"}, {Kind: Tags}, {Kind: Tags, Name: strings.Repeat("a", ObjectNameMax+1)}, {Kind: Tags, Name: "a", Body: make([]byte, ObjectBodyMax+1)}} {
		if bad.Check() == nil {
			t.Errorf("object %d %.10q of %d bytes is taken", bad.Kind, bad.Name, len(bad.Body))
		}
	}
	k := AccessKey{ID: "AKIAX", Principal: "ada", PrincipalCreated: -5, Account: "111122223333", Created: 7, Expires: 9, Disabled: true, Scheme: "s", Secret: []byte{1}, TokenHash: []byte{2}}
	k.Put(tab)
	if got, err := FindAccessKey(tab, k.ID); err != nil || !reflect.DeepEqual(got, &k) {
		t.Errorf("got %+v, %v", got, err)
	}
	if list, err := AccessKeys(tab); err != nil || len(list) != 1 {
		t.Errorf("got %+v, %v", list, err)
	}
}

// FuzzObject: what decodes encodes to the same bytes.
func FuzzObject(f *testing.F) {
	tab := table{}
	(&Object{Kind: Channel, Name: "a", Body: []byte("b")}).Put(tab)
	(&AccessKey{ID: "a", Secret: []byte("s")}).Put(tab)
	for k, v := range tab {
		f.Add([]byte(k), v[:len(v)-checksumLen])
	}
	f.Fuzz(func(t *testing.T, key, payload []byte) {
		value := (&encoder{b: append([]byte(nil), payload...)}).seal(key)
		again := table{}
		var o Object
		var k AccessKey
		switch {
		case o.decode(key, value) == nil:
			o.Put(again)
		case k.decode(key, value) == nil:
			k.Put(again)
		default:
			return
		}
		if string(again[string(key)]) != string(value) {
			t.Errorf("record %q has two encodings", key)
		}
	})
}

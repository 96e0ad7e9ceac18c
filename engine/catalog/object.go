package catalog

import "fmt"

// ObjectKind says what an object of the control interface is. The numbers are part of
// the format.
type ObjectKind uint8

// The kinds. What their bodies are is told where they are made (server/api).
const (
	StoreSettings  ObjectKind = 1 // what AWS's interface knows of a store beyond its policy
	Channel        ObjectKind = 2
	ResourcePolicy ObjectKind = 3
	Tags           ObjectKind = 4
	Dashboard      ObjectKind = 5
	ImportJob      ObjectKind = 6
	SavedQuery     ObjectKind = 7
	Organization   ObjectKind = 8
	EventSettings  ObjectKind = 9  // of trails: what is aggregated
	Refresh        ObjectKind = 10 // a run of a dashboard's queries
	SealedKey      ObjectKind = 11 // a signing key, wrapped

	objectKindMax = SealedKey
)

// Limits of objects.
const (
	// ObjectBodyMax is the longest body in bytes: that of a request, which they are made
	// from, and what is added to it.
	ObjectBodyMax = 2 << 20
	// ObjectNameMax is the longest name in bytes: that of an ARN.
	ObjectNameMax = 2048
)

// Object is a thing of the control interface: its name is unique within its kind, its body
// belongs to whoever made it.
type Object struct {
	Kind ObjectKind
	Name string
	Body []byte
}

func objectKey(kind ObjectKind, name string) []byte {
	return append([]byte{keyObject, byte(kind)}, name...)
}

// Put writes the object.
func (o *Object) Put(w Writer) {
	e := newEncoder()
	e.uint(uint64(o.Kind))
	e.text(o.Name)
	e.text(string(o.Body))
	key := objectKey(o.Kind, o.Name)
	w.Set(key, e.seal(key))
}

// Remove deletes the object's record.
func (o *Object) Remove(w Writer) { w.Delete(objectKey(o.Kind, o.Name)) }

// Check says what is wrong with an object that is to be written.
func (o *Object) Check() error {
	switch {
	case o.Kind == 0 || o.Kind > objectKindMax:
		return fmt.Errorf("object kind %d is not known", o.Kind)
	case o.Name == "" || len(o.Name) > ObjectNameMax:
		return fmt.Errorf("an object's name has 1 to %d bytes, this one has %d", ObjectNameMax, len(o.Name))
	case len(o.Body) > ObjectBodyMax:
		return fmt.Errorf("an object has at most %d bytes, this one has %d", ObjectBodyMax, len(o.Body))
	}
	return nil
}

func (o *Object) decode(key, value []byte) error {
	d, err := newDecoder(key, value)
	if err != nil {
		return err
	}
	kind := d.uint()
	if kind > uint64(objectKindMax) {
		d.fail("object kind %d is not known", kind)
	}
	o.Kind = ObjectKind(kind)
	o.Name = d.text()
	o.Body = d.blob(ObjectBodyMax)
	if d.err == nil {
		if err := o.Check(); err != nil {
			d.fail("%v", err)
		}
	}
	return d.finish(objectKey(o.Kind, o.Name))
}

// blob reads bytes with their length before them.
func (d *decoder) blob(most int) []byte {
	n := d.uint()
	if n > uint64(most) || n > uint64(len(d.b)) {
		d.fail("%d bytes in %d", n, len(d.b))
		return nil
	}
	b := clone(d.b[:n])
	d.b = d.b[n:]
	return b
}

// Objects calls fn with the objects of a kind whose names begin with prefix, in order of
// their names.
func Objects(r Reader, kind ObjectKind, prefix string, fn func(o *Object) error) error {
	return r.Scan(objectKey(kind, prefix), func(key, value []byte) error {
		o := &Object{}
		if err := o.decode(key, value); err != nil {
			return err
		}
		return fn(o)
	})
}

// FindObject returns an object, nil when there is none.
func FindObject(r Reader, kind ObjectKind, name string) (*Object, error) {
	var found *Object
	want := objectKey(kind, name)
	err := r.Scan(want, func(key, value []byte) error {
		if string(key) != string(want) {
			return nil // a longer name
		}
		found = &Object{}
		return found.decode(key, value)
	})
	return found, err
}

// AccessKey is a key with which requests are signed in the name of a principal.
type AccessKey struct {
	// ID is public.
	ID string
	// Principal is whose it is; PrincipalCreated tells it from a later one of that name.
	Principal        string
	PrincipalCreated int64
	// Account is that in which it works, 12 digits.
	Account string
	// Created and Expires are times; Expires is 0 for never.
	Created, Expires int64
	Disabled         bool
	// Secret is wrapped, as Scheme says: a signature is checked by making it, so a hash
	// would not do.
	Scheme string
	Secret []byte
	// TokenHash is the SHA-256 of the session token that must go with it; empty for none.
	TokenHash []byte
}

// accessKeyIDMax bounds the name of an access key; AWS has 20 characters.
const accessKeyIDMax = 128

func accessKeyKey(id string) []byte { return append([]byte{keyAccessKey}, id...) }

// Put writes the key.
func (k *AccessKey) Put(w Writer) {
	e := newEncoder()
	e.text(k.ID)
	e.text(k.Principal)
	e.int(k.PrincipalCreated)
	e.text(k.Account)
	e.int(k.Created)
	e.int(k.Expires)
	e.bool(k.Disabled)
	e.text(k.Scheme)
	e.text(string(k.Secret))
	e.text(string(k.TokenHash))
	key := accessKeyKey(k.ID)
	w.Set(key, e.seal(key))
}

// Remove deletes the key's record.
func (k *AccessKey) Remove(w Writer) { w.Delete(accessKeyKey(k.ID)) }

func (k *AccessKey) decode(key, value []byte) error {
	d, err := newDecoder(key, value)
	if err != nil {
		return err
	}
	k.ID = d.text()
	k.Principal = d.text()
	k.PrincipalCreated = d.int()
	k.Account = d.text()
	k.Created = d.int()
	k.Expires = d.int()
	k.Disabled = d.bool()
	k.Scheme = d.text()
	k.Secret = d.blob(nameMax)
	k.TokenHash = d.blob(verifierMax)
	if d.err == nil && (k.ID == "" || len(k.ID) > accessKeyIDMax) {
		d.fail("an ID of %d bytes", len(k.ID))
	}
	return d.finish(accessKeyKey(k.ID))
}

// AccessKeys returns all access keys, in order of their IDs.
func AccessKeys(r Reader) ([]AccessKey, error) {
	var list []AccessKey
	err := r.Scan([]byte{keyAccessKey}, func(key, value []byte) error {
		var k AccessKey
		if err := k.decode(key, value); err != nil {
			return err
		}
		list = append(list, k)
		return nil
	})
	return list, err
}

// FindAccessKey returns the access key with an ID, nil when there is none.
func FindAccessKey(r Reader, id string) (*AccessKey, error) {
	var found *AccessKey
	want := accessKeyKey(id)
	err := r.Scan(want, func(key, value []byte) error {
		if string(key) != string(want) {
			return nil
		}
		found = &AccessKey{}
		return found.decode(key, value)
	})
	return found, err
}

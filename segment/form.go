package segment

import (
	"context"
	"fmt"
)

// Form says what stands at a path in the records of a segment.
type Form uint8

// The forms. Where no record has a key twice on the way to the path, it does
// not matter which of equal keys counts.
const (
	// AnyForm: anything.
	AnyForm Form = iota
	// OneValue: at most one value in a record, none of them in a part kept as text.
	OneValue
	// OneScalar: at most one scalar or null in a record, nothing else.
	OneScalar
)

// Form returns what stands at a path.
func (r *Reader) Form(ctx context.Context, p PathID) (Form, error) {
	if p&invented != 0 {
		return AnyForm, nil
	}
	d, err := r.directory(ctx)
	if err != nil {
		return AnyForm, err
	}
	if int(p) >= len(d.parent) {
		return AnyForm, fmt.Errorf("path %d is not of this segment", p)
	}
	if p == Root {
		return AnyForm, nil
	}
	if d.simple(uint32(p)) {
		return OneScalar, nil
	}
	for n := uint32(p); n != 0; n = d.parent[n] {
		if d.flags[n]&nodeTwice != 0 || d.hasText(d.parent[n]) {
			return AnyForm, nil
		}
	}
	return OneValue, nil
}

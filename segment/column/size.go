package column

// CopyBytes is how many bytes a flat copy of values [from, to) of v takes. Copies
// share their text, so that it does not count: see TextBytes. It costs no more
// than the depth of the type, where v and its children are flat.
func CopyBytes(v *Vector, from, to int) int64 {
	n := int64(to - from)
	switch {
	case n <= 0:
		return 0
	case v.Type.Payload() != PayloadNested:
		return 16 * n
	case v.Const:
		one := *v
		one.Const, one.Len = false, 1
		return n * CopyBytes(&one, 0, 1)
	case v.Dict != nil:
		sum := int64(0)
		for _, c := range v.Codes[from:to] {
			sum += CopyBytes(v.Dict, int(c), int(c)+1)
		}
		return sum
	}
	sum := 4 * n
	for _, c := range v.Children {
		if v.Offsets != nil {
			sum += CopyBytes(c, int(v.Offsets[from]), int(v.Offsets[to]))
		} else {
			sum += CopyBytes(c, from, to)
		}
	}
	return sum
}

// TextBytes is the length of all text in values [from, to) of v, down to the
// innermost; a text counts for every value that has it.
func TextBytes(v *Vector, from, to int) int64 {
	n := int64(0)
	switch {
	case to <= from:
	case v.Const:
		one := *v
		one.Const, one.Len = false, 1
		return int64(to-from) * TextBytes(&one, 0, 1)
	case v.Dict != nil:
		for _, c := range v.Codes[from:to] {
			n += TextBytes(v.Dict, int(c), int(c)+1)
		}
	case v.Str != nil:
		for _, s := range v.Str[from:to] {
			n += int64(len(s))
		}
	default:
		for _, c := range v.Children {
			if v.Offsets != nil {
				n += TextBytes(c, int(v.Offsets[from]), int(v.Offsets[to]))
			} else {
				n += TextBytes(c, from, to)
			}
		}
	}
	return n
}

package fn

// JSONStep is a step of a path of json_extract: a member of an object or, where
// Position is set, as well the position in an array that its name is.
type JSONStep struct {
	Name     string
	Position bool
}

// JSONPathSteps takes a path of json_extract apart; ok is false when it is not valid.
func JSONPathSteps(path string) (steps []JSONStep, ok bool) {
	p, err := compilePath(path)
	if err != nil {
		return nil, false
	}
	steps = make([]JSONStep, len(p))
	for i, s := range p {
		steps[i] = JSONStep{Name: s.name, Position: s.index >= 0}
	}
	return steps, true
}

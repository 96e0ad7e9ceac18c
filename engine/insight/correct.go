package insight

// Change is how a recomputation differs from what was found before.
type Change struct {
	// Before is nil for an incident that is new, After for one that is none any more.
	Before, After *Incident
}

// Compare pairs the reported incidents of two computations of the same days, each in order of start: incidents
// that share a minute, or start in the same one, are the same incident. It returns those that differ in what their
// records say, in order of start. After late calls, a new incident needs records, one that changed needs records with an
// addendum (and the FirstStart of Before), one that is gone an addendum that says so.
func Compare(before, after []Incident) []Change {
	var out []Change
	next := func(list []Incident, i int) int {
		for i < len(list) && list[i].Fate != Reported {
			i++
		}
		return i
	}
	i, j := next(before, 0), next(after, 0)
	for i < len(before) || j < len(after) {
		switch {
		case j == len(after) || i < len(before) && before[i].End <= after[j].Start && before[i].Start != after[j].Start:
			out = append(out, Change{Before: &before[i]})
			i = next(before, i+1)
		case i == len(before) || after[j].End <= before[i].Start && before[i].Start != after[j].Start:
			out = append(out, Change{After: &after[j]})
			j = next(after, j+1)
		default:
			if !before[i].says(&after[j]) {
				out = append(out, Change{&before[i], &after[j]})
			}
			i, j = next(before, i+1), next(after, j+1)
		}
	}
	return out
}

// says tells whether the records of two incidents are the same.
func (i *Incident) says(o *Incident) bool {
	return i.Start == o.Start && i.Open == o.Open && i.Decided == o.Decided && i.FirstCalls == o.FirstCalls &&
		i.BaselineCalls == o.BaselineCalls && i.BaselineMinutes == o.BaselineMinutes &&
		(i.Open || i.End == o.End && i.Calls == o.Calls)
}

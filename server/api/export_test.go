package api

import (
	"encoding/json"
	"fmt"
)

// CheckAnswer holds an answer against the shape of its operation.
func CheckAnswer(name string, out object) error {
	op := byName[name]
	b, err := json.Marshal(out)
	if err != nil {
		return err
	}
	parsed, err := parseBody(b)
	if err != nil {
		return err
	}
	for k := range parsed {
		if op.output.find(k) == nil {
			return fmt.Errorf("member %s is not in the table", k)
		}
	}
	_, err = op.output.check(parsed, "")
	return err
}

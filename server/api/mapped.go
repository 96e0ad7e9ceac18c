package api

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/mapping"
)

// Channels take records of other products as these write them, too: a channel whose source is a
// product that there is a mapping of. AWS's names of sources stand for the mappings that fit, and
// the names of mappings, built in or of the server's settings, are sources of their own. An
// event that is in the form of the data service already is stored as such a one, whatever
// the source, since that is what a product's own integration sends.

// sourceMappings are the mappings of sources that AWS names.
var sourceMappings = map[string]string{"GitHub": "github", "OktaSystemLogEvents": "okta"}

// mappedBytesMax bounds the events that the records of one request become: a record of many
// elements is in the event of each of them.
const mappedBytesMax = 16 << 20

// checkMappings says what is wrong with the mappings of a server.
func checkMappings(list []*mapping.Mapping) error {
	names := append(mapping.Names(), sources...)
	for _, m := range list {
		switch {
		case m.Schema() != event.ExternalEvents:
			return fmt.Errorf("mapping %q makes %s, and channels take events from outside", m.Name(), m.Schema().Name)
		case slices.Contains(names, m.Name()):
			return fmt.Errorf("there is a source of channels called %q already: give the mapping another product", m.Name())
		}
		names = append(names, m.Name())
	}
	return nil
}

// mappingOf returns the mapping of a channel's source, nil when there is none.
func (s *API) mappingOf(source string) *mapping.Mapping {
	for _, m := range s.cfg.Mappings {
		if m.Name() == source {
			return m
		}
	}
	name := source
	if other, ok := sourceMappings[source]; ok {
		name = other
	}
	if name != mapping.Auto && !slices.Contains(mapping.Products(), name) {
		return nil
	}
	m, err := mapping.Called(name)
	if err != nil {
		return nil
	}
	return m
}

func (s *API) mappingNames() []string {
	names := append(mapping.Products(), mapping.Auto)
	for _, m := range s.cfg.Mappings {
		names = append(names, m.Name())
	}
	slices.Sort(names)
	return names
}

// isAuditData reports whether data is in the form of the data service: no product's records
// have both members.
func isAuditData(data []byte) bool {
	return isObject(data) && event.Lookup(data, "version") != nil && event.Lookup(data, "userIdentity") != nil
}

// mappedRecords makes the records of a product's record; room is what is left for them in the
// request.
func (c *call) mappedRecords(ch *resolvedChannel, m *mapping.Mapping, data []byte, room int) ([][]byte, error) {
	if room <= 0 {
		return nil, refuse("Throttling", "the events of this request have more than %d bytes together: send it in a request of its own", mappedBytesMax)
	}
	out, err := m.Map(data, mapping.Options{Account: ch.Account, Region: ch.Region, Channel: ch.arn, OriginalMax: additionalMax, BytesMax: room})
	var unmapped *mapping.Refusal
	var bad *event.Refusal
	switch {
	case err == nil:
	case errors.As(err, &unmapped):
		code := "InvalidData"
		if len(unmapped.Reason) > 8 && unmapped.Reason[:8] == "missing " {
			code = "FieldNotFound"
		}
		return nil, refuse(code, "as a record of %s: %v", m.Name(), err)
	case errors.As(err, &bad):
		return nil, refuse("InvalidData", "eventData is not a JSON object: %v", err)
	default:
		return nil, err
	}
	if len(out) == 0 {
		return nil, refuse("InvalidData", "as a record of %s it has no event", m.Name())
	}
	return out, nil
}

// textOf is the text of a member, "" when it is none.
func textOf(rec []byte, name string) string {
	v := event.Lookup(rec, name)
	if len(v) < 2 || v[0] != '"' {
		return ""
	}
	return string(plainText(v[1 : len(v)-1]))
}

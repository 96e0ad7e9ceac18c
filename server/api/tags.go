package api

import (
	"errors"
	"sort"
	"strings"

	"github.com/cairndb/cairn/engine"
)

// tagsMax is how many tags a resource may have, tagResourcesMax how many resources one
// ListTags asks for.
const (
	tagsMax         = 50
	tagResourcesMax = 20
)

// tags are kept under the ARN of their resource.
type tags map[string]string

// newTags reads the tags of a request; each key may stand once.
func (c *call) newTags(member string) (tags, error) {
	out := tags{}
	for _, item := range c.list(member) {
		o := item.(object)
		key, _ := o["Key"].(string)
		value, _ := o["Value"].(string)
		if _, twice := out[key]; twice {
			return nil, c.wrong(member, "%s: the key %q stands twice", member, shorten(key))
		}
		if strings.HasPrefix(strings.ToLower(key), "aws:") {
			return nil, c.wrong(member, "%s: keys that begin with aws: are reserved", member)
		}
		for _, text := range []string{key, value} {
			for _, r := range text {
				if !tagRune(r) {
					return nil, c.wrong(member, "%s: %q has a character %q; letters, digits, spaces and _.:/=+-@ are taken", member, shorten(text), r)
				}
			}
		}
		out[key] = value
	}
	if len(out) > tagsMax {
		return nil, c.tooManyTags()
	}
	return out, nil
}

func (c *call) tooManyTags() error {
	if c.op.has("TagsLimitExceededException") {
		return fail("TagsLimitExceeded", "a resource has at most %d tags", tagsMax)
	}
	return c.wrong("TagsList", "a resource has at most %d tags", tagsMax)
}

func (c *call) saveTags(of string, t tags) error {
	if len(t) == 0 {
		return c.s.remove(c.ctx, engine.Object{Kind: engine.ObjectTags, Name: of})
	}
	return c.s.save(c.ctx, engine.ObjectTags, of, t)
}

// tagsOut is a list of tags in answers, in order of their keys.
func tagsOut(t tags) []object {
	keys := make([]string, 0, len(t))
	for k := range t {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	out := []object{}
	for _, k := range keys {
		o := object{"Key": k}
		if t[k] != "" {
			o["Value"] = t[k]
		}
		out = append(out, o)
	}
	return out
}

func (s *API) tagsOf(of string) (tags, error) {
	t, err := find[tags](s, engine.ObjectTags, of)
	if err != nil || t == nil {
		return tags{}, err
	}
	return *t, nil
}

// taggable checks that a resource is there, is the caller's and can have tags, and returns
// its ARN.
func (c *call) taggable(ref string) (string, error) {
	a, ok := parseARN(ref)
	if !ok {
		return "", fail("CloudTrailARNInvalid", "%q is not the ARN of a trail, event data store, channel or dashboard", shorten(ref))
	}
	return c.resource(a, ref)
}

// resource checks that a resource is there and is the caller's, and returns its ARN.
func (c *call) resource(a arn, ref string) (string, error) {
	switch a.kind {
	case storeARN:
		e, err := c.resolveStore(ref)
		if err != nil {
			return "", err
		}
		return e.arn, e.active()
	case channelARN:
		ch, err := c.resolveChannel(ref)
		if err != nil {
			return "", err
		}
		return ch.arn, nil
	case dashboardARN:
		d, err := c.resolveDashboard(ref)
		if err != nil {
			return "", err
		}
		return d.arn, nil
	case trailARN:
		return c.trailARN(ref)
	}
	return "", fail("ResourceTypeNotSupported", "%q is a resource of type %q: trails, event data stores, channels and dashboards are supported", shorten(ref), shorten(a.kind))
}

func (c *call) addTags() (any, error) {
	of, err := c.taggable(c.text("ResourceId"))
	if err != nil {
		return nil, err
	}
	more, err := c.newTags("TagsList")
	if err != nil {
		return nil, err
	}
	t, err := c.s.tagsOf(of)
	if err != nil {
		return nil, err
	}
	for k, v := range more {
		t[k] = v
	}
	if len(t) > tagsMax {
		return nil, c.tooManyTags()
	}
	return nil, c.saveTags(of, t)
}

func (c *call) removeTags() (any, error) {
	of, err := c.taggable(c.text("ResourceId"))
	if err != nil {
		return nil, err
	}
	t, err := c.s.tagsOf(of)
	if err != nil {
		return nil, err
	}
	for _, item := range c.list("TagsList") {
		key, _ := item.(object)["Key"].(string)
		delete(t, key)
	}
	return nil, c.saveTags(of, t)
}

func (c *call) listTags() (any, error) {
	ids := c.texts("ResourceIdList")
	if len(ids) == 0 || len(ids) > tagResourcesMax {
		return nil, fail("CloudTrailARNInvalid", "ResourceIdList has %d items, it must have 1 to %d", len(ids), tagResourcesMax)
	}
	if c.text("NextToken") != "" {
		return nil, fail("InvalidToken", "ListTags gives everything at once and no tokens: repeat the request without one")
	}
	out := []object{}
	for _, id := range ids {
		of, err := c.taggable(id)
		if err != nil {
			return nil, err
		}
		t, err := c.s.tagsOf(of)
		if err != nil {
			return nil, err
		}
		out = append(out, object{"ResourceId": id, "TagsList": tagsOut(t)})
	}
	return object{"ResourceTagList": out}, nil
}

// isNotFound reports whether an error says that a resource is not there.
func isNotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && strings.Contains(e.Code, "NotFound")
}

// tagRune reports whether tags may have a character.
func tagRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(" _.:/=+-@", r) || r >= 0x80
}

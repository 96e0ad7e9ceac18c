package mapping

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/cairndb/cairn/engine/event"
)

// Mapping says how records of a product become events.
type Mapping struct {
	file
	detect [][]condition
	each   path
	as     form
}

// form is what a mapping makes.
type form uint8

const (
	activity form = iota
	configurationItem
	evidence
	auto
)

// file is a mapping file.
type file struct {
	Version             int               `json:"mapping"`
	Product             string            `json:"product"`
	Title               string            `json:"title"`
	Detect              [][]string        `json:"detect"`
	Each                string            `json:"each"`
	EventSource         choice            `json:"eventSource"`
	EventName           choice            `json:"eventName"`
	EventTime           choice            `json:"eventTime"`
	UID                 choice            `json:"uid"`
	UserType            choice            `json:"userType"`
	PrincipalID         choice            `json:"principalId"`
	UserDetails         map[string]choice `json:"userDetails"`
	UserAgent           choice            `json:"userAgent"`
	SourceIPAddress     choice            `json:"sourceIPAddress"`
	Success             []success         `json:"success"`
	ErrorCode           choice            `json:"errorCode"`
	ErrorMessage        choice            `json:"errorMessage"`
	RequestParameters   map[string]choice `json:"requestParameters"`
	ResponseElements    map[string]choice `json:"responseElements"`
	AdditionalEventData map[string]choice `json:"additionalEventData"`
}

// success is a rule that tells success from failure.
type success struct {
	Of    choice   `json:"of"`
	Is    []string `json:"is"`
	Not   []string `json:"not"`
	Below *float64 `json:"below"`
}

// condition is paths of which one must be there, or have a text.
type condition []struct {
	path path
	text string // "" for any
}

// The names of the mappings that are no mapping files.
const (
	// Auto takes, record by record, the built-in mapping of its product.
	Auto = "auto"
	// ConfigurationItems maps AWS Config's configuration items.
	ConfigurationItems = "config"
	// EvidenceItems maps Audit Manager's evidence.
	EvidenceItems = "evidence"
)

// fileMax bounds a mapping file: the largest that makes sense is some kilobytes.
const fileMax = 1 << 20

// productName is what products may be called: the name is part of event IDs and shown to people.
var productName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// Parse reads a mapping file. The error says which member is wrong.
func Parse(text []byte) (*Mapping, error) {
	if len(text) > fileMax {
		return nil, fmt.Errorf("a mapping file of %d bytes, at most %d are read", len(text), fileMax)
	}
	m := &Mapping{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&m.file); err != nil {
		return nil, fmt.Errorf("reading the mapping: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("reading the mapping: more follows after its object")
	}
	if m.Version != 1 {
		return nil, fmt.Errorf("reading the mapping: \"mapping\" is %d; this program reads version 1", m.Version)
	}
	if !productName.MatchString(m.Product) {
		return nil, fmt.Errorf("reading the mapping: \"product\" is %q; it is a word of a-z, 0-9, '.', '_' and '-'", m.Product)
	}
	for name, c := range map[string]choice{"eventSource": m.EventSource, "eventName": m.EventName, "eventTime": m.EventTime, "principalId": m.PrincipalID} {
		if len(c) == 0 {
			return nil, fmt.Errorf("reading the mapping: \"%s\" is missing", name)
		}
	}
	for i, s := range m.Success {
		kinds := 0
		for _, is := range []bool{s.Is != nil, s.Not != nil, s.Below != nil} {
			if is {
				kinds++
			}
		}
		if len(s.Of) == 0 || kinds != 1 {
			return nil, fmt.Errorf("reading the mapping: rule %d of \"success\" needs \"of\", and one of \"is\", \"not\" and \"below\"", i+1)
		}
	}
	var err error
	if m.Each != "" {
		if m.each, err = parsePath(m.Each); err != nil {
			return nil, fmt.Errorf("reading the mapping: each: %w", err)
		}
	}
	for _, list := range m.Detect {
		if len(list) == 0 {
			return nil, fmt.Errorf("reading the mapping: detect: an empty list would take every record")
		}
		var all []condition
		for _, text := range list {
			var c condition
			for _, one := range strings.Split(text, "|") {
				name, value, _ := strings.Cut(one, "=")
				p, err := parsePath(name)
				if err != nil {
					return nil, fmt.Errorf("reading the mapping: detect: %w", err)
				}
				c = append(c, struct {
					path path
					text string
				}{p, value})
			}
			all = append(all, c)
		}
		m.detect = append(m.detect, all)
	}
	return m, nil
}

//go:embed builtin/*.json
var builtinFiles embed.FS

// builtins are the mappings of products, by name, in the order in which auto asks them.
var builtins = func() []*Mapping {
	var out []*Mapping
	// The most telling first.
	for _, name := range []string{"kubernetes", "google-workspace", "okta", "entra", "github", "cloudtrail"} {
		text, err := builtinFiles.ReadFile("builtin/" + name + ".json")
		if err != nil {
			panic(err) // the program was built without it
		}
		m, err := Parse(text)
		if err != nil {
			panic(fmt.Sprintf("built-in mapping %s: %v", name, err))
		}
		out = append(out, m)
	}
	return out
}()

// Called returns a built-in mapping by its name: that of a product, [Auto],
// [ConfigurationItems] or [EvidenceItems].
func Called(name string) (*Mapping, error) {
	switch strings.ToLower(name) {
	case Auto:
		return &Mapping{file: file{Product: Auto, Title: "whichever of the products a record is of"}, as: auto}, nil
	case ConfigurationItems:
		return &Mapping{file: file{Product: ConfigurationItems, Title: "AWS Config configuration items"}, as: configurationItem}, nil
	case EvidenceItems:
		return &Mapping{file: file{Product: EvidenceItems, Title: "AWS Audit Manager evidence"}, as: evidence}, nil
	}
	for _, m := range builtins {
		if strings.EqualFold(m.Product, name) {
			return m, nil
		}
	}
	return nil, fmt.Errorf("there is no mapping %q; there are: %s", name, strings.Join(Names(), ", "))
}

// Names returns the names of the built-in mappings.
func Names() []string {
	out := append(Products(), Auto, ConfigurationItems, EvidenceItems)
	sort.Strings(out)
	return out
}

// Products returns the names of the products that there are mapping files for.
func Products() []string {
	var out []string
	for _, m := range builtins {
		out = append(out, m.Product)
	}
	sort.Strings(out)
	return out
}

// Text returns the mapping file of a built-in mapping of a product, nil for the others.
func Text(name string) []byte {
	b, err := builtinFiles.ReadFile("builtin/" + strings.ToLower(name) + ".json")
	if err != nil {
		return nil
	}
	return b
}

// Name returns the name of the mapping: its product.
func (m *Mapping) Name() string { return m.Product }

// Schema returns the schema of the events that the mapping makes.
func (m *Mapping) Schema() *event.Table {
	switch m.as {
	case configurationItem:
		return event.ConfigurationItems
	case evidence:
		return event.EvidenceItems
	}
	return event.ExternalEvents
}

// detects reports whether a record is one of the mapping's product.
func (m *Mapping) detects(rec []byte) bool {
	r := record{whole: rec}
	for _, all := range m.detect {
		if !slices.ContainsFunc(all, func(c condition) bool { return !c.holds(&r) }) {
			return true
		}
	}
	return false
}

func (c condition) holds(r *record) bool {
	for _, one := range c {
		v := r.at(one.path)
		if v == nil {
			continue
		}
		if s, ok := scalar(v); one.text == "" || ok && s == one.text {
			return true
		}
	}
	return false
}

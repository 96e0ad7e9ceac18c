package event

import (
	"slices"
	"strings"

	"github.com/cairndb/cairn/segment/column"
)

// Mapping says how the value of a column or row member is made from JSON.
type Mapping uint8

// The mappings. What does not fit reads as NULL, never as an error.
const (
	// Text: a string unescaped; a number or boolean as its text; an object or
	// array as compact JSON text.
	Text Mapping = iota
	// Bool: true, false, or the strings "true" and "false".
	Bool
	// Time: a string that ParseTime reads, cut to whole milliseconds.
	Time
	// Float: a number as double.
	Float
	// Int: a number without fraction that fits an integer of 32 bits.
	Int
	// TextMap: an object as map(varchar, varchar), its values by Text.
	TextMap
	// Row: an object as a row of Members.
	Row
	// Rows: an array of objects as array(row of Members).
	Rows
	// Record: the whole record's bytes as text.
	Record
	// Checksum: the base64 of the SHA-256 of the whole record.
	Checksum
)

// Column is one SQL column, or one member of a row below it.
type Column struct {
	// Name is the SQL name, in lower case; names are matched without regard to
	// case.
	Name string
	// Aliases are other names for it, not listed by SELECT *: misspellings that
	// were published and are in use.
	Aliases []string
	// Type is the SQL type.
	Type *column.Type
	// Mapping says how the value is made.
	Mapping Mapping
	// Paths are the places of the value, each a list of member names in exact
	// case, for a column from the record down, for a member from the object (or
	// array element) of its row down. The first that is there and not null
	// counts. Empty for Record and Checksum.
	Paths [][]string
	// Members are the members of Row and Rows, in the order of the type.
	Members []Column
}

// Table is the schema of one kind of event data store.
type Table struct {
	// Key is the short name by which people choose the schema.
	Key string
	// Number stands for the schema on disk; part of that format.
	Number uint32
	// Name is for people: "CloudTrail events".
	Name string
	// Categories are the values of eventCategory that such a store holds.
	Categories []Category
	// Columns are in the order of SELECT *.
	Columns []Column
}

// Column returns the column called name, without regard to case and by its
// aliases too, and its position; nil and -1 when there is none.
func (t *Table) Column(name string) (*Column, int) { return find(t.Columns, name) }

// Member returns the member called name of a Row or Rows column, without regard
// to case and by its aliases too, and its position; nil and -1 when there is
// none.
func (c *Column) Member(name string) (*Column, int) { return find(c.Members, name) }

// Tables returns the five schemas: CloudTrail, Insights, ConfigurationItems,
// EvidenceItems, ExternalEvents.
func Tables() []*Table { return tables }

// TableCalled returns the schema with a key, or the one that holds the category of
// that name, without regard to case; nil when there is none.
func TableCalled(name string) *Table {
	for _, t := range tables {
		if strings.EqualFold(t.Key, name) {
			return t
		}
		for _, c := range t.Categories {
			if strings.EqualFold(c.String(), name) {
				return t
			}
		}
	}
	return nil
}

// TableNumbered returns the schema with a number; nil when there is none.
func TableNumbered(n uint32) *Table {
	for _, t := range tables {
		if t.Number == n {
			return t
		}
	}
	return nil
}

// Check says whether a store of this schema takes an event that [Parse] or the
// function Check has read; the error is a [*Refusal]. A store for CloudTrail events takes
// whatever a trail delivers, Insights and aggregated events and categories that are
// not known among it; every other store takes its own category only.
func (t *Table) Check(ev *Event) error {
	if slices.Contains(t.Categories, ev.Category) {
		return nil
	}
	if t == CloudTrail {
		switch ev.Category {
		case Insight, Aggregated, OtherCategory:
			return nil
		}
	}
	name := string(ev.CategoryName)
	if name == "" {
		name = ev.Category.String()
	}
	return &Refusal{Reason: OtherSchema, Field: "eventCategory", Offset: -1,
		Detail: "the event is of category " + quote([]byte(name)) + ", the store holds " + t.Name}
}

// TableOf returns the schema for records of a category; unknown categories read
// as CloudTrail events.
func TableOf(c Category) *Table {
	for _, t := range tables {
		if slices.Contains(t.Categories, c) {
			return t
		}
	}
	return CloudTrail
}

func find(columns []Column, name string) (*Column, int) {
	for i := range columns {
		if strings.EqualFold(columns[i].Name, name) {
			return &columns[i], i
		}
	}
	for i := range columns {
		for _, alias := range columns[i].Aliases {
			if strings.EqualFold(alias, name) {
				return &columns[i], i
			}
		}
	}
	return nil, -1
}

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/event"
)

func (p *program) storeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "List, create, show, change and delete event data stores",
		Example: `  cairn store list
  cairn store create payments
  cairn store show payments`,
	}
	cmd.AddCommand(&cobra.Command{
		Use:     "list",
		Short:   "List the stores of the lake",
		Example: "  cairn store list --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			lake, err := p.openToRead()
			if err != nil {
				return err
			}
			defer lake.Close()
			list := []storeInfo{}
			for _, s := range lake.Stores() {
				list = append(list, describe(s))
			}
			if p.json {
				return p.printJSON(list)
			}
			t := newTextTable("name", "id", "schema", "created", "events", "keeps", "state")
			t.right(4)
			for _, s := range list {
				t.row(s.Name, s.ID, s.Schema, s.Created.Format(time.DateTime), count(int64(s.Events)), s.keeps(), s.State)
			}
			return t.print(p.out)
		},
	}, p.createStoreCommand(), p.updateStoreCommand(), p.deleteStoreCommand(), p.restoreStoreCommand(), p.confirmTimeCommand(), &cobra.Command{
		Use:     "show NAME|ID",
		Short:   "Show a store",
		Example: "  cairn store show events",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			lake, err := p.openToRead()
			if err != nil {
				return err
			}
			defer lake.Close()
			s, err := lake.Store(args[0])
			if err != nil {
				return err
			}
			return p.showStore(s)
		},
	})
	return cmd
}

func (p *program) createStoreCommand() *cobra.Command {
	var schema, period, lock, selectors string
	var protected bool
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a store",
		Long: `Create makes an event data store. Its schema, which cannot be changed later, says what
events it takes and which columns queries see. It keeps events for a year and a day unless told
otherwise; older ones are refused. (A store that an import makes gets the same period, but
when it has older events: see cairn import --help.)

` + schemaList(),
		Example: `  cairn store create payments
  cairn store create config --schema configuration
  cairn store create writes --selectors '[{"FieldSelectors":[
      {"Field":"eventCategory","Equals":["Management"]},{"Field":"readOnly","Equals":["false"]}]}]'`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			table, err := schemaCalled(schema)
			if err != nil {
				return err
			}
			days, err := parsePeriod(period)
			if err != nil {
				return err
			}
			mode, err := engine.ParseLockMode(lock)
			if err != nil {
				return usageError{err}
			}
			sel, err := readSelectors(selectors)
			if err != nil {
				return err
			}
			lake, err := p.open(false)
			if err != nil {
				return err
			}
			defer lake.Close()
			s, err := lake.MakeStore(c.Context(), engine.NewStore{Name: args[0], Schema: table, Days: days, Lock: mode, Protected: protected, Selectors: sel})
			if err != nil {
				return err
			}
			return p.showStore(s)
		},
	}
	cmd.Flags().StringVar(&schema, "schema", event.CloudTrail.Key, "what the store holds: a name from the list above, or an eventCategory")
	cmd.Flags().StringVar(&period, "retention", strconv.Itoa(engine.DefaultRetention), "days to keep events, 7 to 3653, or forever")
	cmd.Flags().StringVar(&lock, "lock", "none", "lock mode: none, governance or compliance; see: cairn store update --help")
	cmd.Flags().StringVar(&selectors, "selectors", "", "advanced event selectors, JSON or @FILE: which of the events that arrive for no store in particular it takes (default: all of its schema)")
	cmd.Flags().BoolVar(&protected, "termination-protection", true, "refuse to delete the store until this is taken off")
	return cmd
}

// readSelectors reads advanced event selectors, JSON or @FILE, as a list or with its name
// around it; nil for "".
func readSelectors(text string) (*event.Selectors, error) {
	if text == "" {
		return nil, nil
	}
	if file, ok := strings.CutPrefix(text, "@"); ok {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, usageError{fmt.Errorf("reading the selectors: %w", err)}
		}
		text = string(b)
	}
	var named struct {
		AdvancedEventSelectors []event.AdvancedSelector
		EventSelectors         []event.BasicSelector
	}
	into := any(&named)
	if strings.HasPrefix(strings.TrimSpace(text), "[") {
		into = &named.AdvancedEventSelectors
		if !strings.Contains(text, `"FieldSelectors"`) {
			into = &named.EventSelectors
		}
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return nil, usageError{fmt.Errorf("the selectors are not JSON as the CloudTrail API has it: %w", err)}
	}
	return &event.Selectors{Advanced: named.AdvancedEventSelectors, Basic: named.EventSelectors}, nil
}

// schemaCalled returns the schema with a name.
func schemaCalled(name string) (*event.Table, error) {
	if t := event.TableCalled(name); t != nil {
		return t, nil
	}
	var keys []string
	for _, t := range event.Tables() {
		keys = append(keys, t.Key)
	}
	return nil, usagef("no schema is called %q: there are %s", name, strings.Join(keys, ", "))
}

// schemaList describes the schemas for help texts.
func schemaList() string {
	var b strings.Builder
	for _, t := range event.Tables() {
		fmt.Fprintf(&b, "  %-14s %s\n", t.Key, t.Name)
	}
	return b.String()
}

type storeInfo struct {
	Name    string    `json:"name"`
	ID      string    `json:"id"`
	Schema  string    `json:"schema"`
	Created time.Time `json:"created"`
	Events  uint64    `json:"events"`
	// Retention is in days, 0 for ever.
	Retention uint32 `json:"retentionPeriod"`
	// Undecided: nobody has given it a period yet.
	Undecided  bool       `json:"retentionUndecided"`
	Lock       string     `json:"lock"`
	Protected  bool       `json:"terminationProtection"`
	State      string     `json:"state"`
	BuiltIn    bool       `json:"builtIn"`
	Gone       *time.Time `json:"goneAt,omitempty"`
	Holds      int        `json:"holds"`
	Dropped    uint64     `json:"droppedEvents"`
	FreedBytes uint64     `json:"freedBytes"`

	Selectors []event.AdvancedSelector `json:"advancedEventSelectors,omitempty"`
}

func describe(s *engine.Store) storeInfo {
	r := s.Retention()
	d := storeInfo{Name: s.Name(), ID: s.ID(), Schema: s.Schema().Key, Created: s.Created().UTC(), Events: s.Events() - r.Dropped.Events,
		Retention: r.Days, Undecided: r.Undecided, Lock: r.Lock.String(), Protected: r.Protected, State: r.State.String(), BuiltIn: r.BuiltIn, Holds: r.Holds,
		Dropped: r.Dropped.Events, FreedBytes: r.Dropped.Bytes}
	if sel := s.Selectors(); sel != nil {
		d.Selectors = sel.Advanced
	}
	if !r.Gone.IsZero() {
		d.Gone = &r.Gone
	}
	return d
}

// keeps says how long the store keeps its events.
func (d *storeInfo) keeps() string {
	if d.Undecided {
		return "everything so far"
	}
	return periodText(d.Retention)
}

func (p *program) showStore(s *engine.Store) error {
	d := describe(s)
	if p.json {
		return p.printJSON(d)
	}
	protected := "off"
	if d.Protected {
		protected = "on"
	}
	_, err := fmt.Fprintf(p.out, "name     %s\nid       %s\nschema   %s\ncreated  %s\nevents   %s\nstate    %s\nkeeps    %s, lock %s, termination protection %s\nholds    %d\ndropped  %s events, %s freed\n",
		d.Name, d.ID, s.Schema().Name, d.Created.Format(time.DateTime), count(int64(d.Events)), d.State, d.keeps(), d.Lock, protected, d.Holds,
		count(int64(d.Dropped)), size(int64(d.FreedBytes)))
	if sel := s.Selectors(); err == nil && sel != nil {
		_, err = fmt.Fprintf(p.out, "takes    %s\n", sel)
	}
	if err == nil && d.Undecided {
		_, err = fmt.Fprintf(p.out, "         (no period yet; to set one: cairn store update %s --retention DAYS|forever)\n", d.Name)
	}
	if err == nil && d.Gone != nil {
		_, err = fmt.Fprintf(p.out, "gone     after %s; until then: cairn store restore %s\n", d.Gone.Format(time.DateTime), d.Name)
	}
	return err
}

func (p *program) printJSON(v any) error {
	enc := json.NewEncoder(p.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/event"
)

func (p *program) storeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "List, create and show event data stores",
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
			lake, err := p.open(true)
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
			t := newTextTable("name", "id", "schema", "created", "events")
			t.right(4)
			for _, s := range list {
				t.row(s.Name, s.ID, s.Schema, s.Created.Format(time.DateTime), count(int64(s.Events)))
			}
			return t.print(p.out)
		},
	}, p.createStoreCommand(), &cobra.Command{
		Use:     "show NAME|ID",
		Short:   "Show a store",
		Example: "  cairn store show events",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			lake, err := p.open(true)
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
	var schema string
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a store",
		Long: `Create makes an event data store. Its schema, which cannot be changed later, says what
events it takes and which columns queries see:

` + schemaList(),
		Example: `  cairn store create payments
  cairn store create config --schema configuration`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			table, err := schemaCalled(schema)
			if err != nil {
				return err
			}
			lake, err := p.open(false)
			if err != nil {
				return err
			}
			defer lake.Close()
			s, err := lake.CreateStoreOf(c.Context(), args[0], table)
			if err != nil {
				return err
			}
			return p.showStore(s)
		},
	}
	cmd.Flags().StringVar(&schema, "schema", event.CloudTrail.Key, "what the store holds: a name from the list above, or an eventCategory")
	return cmd
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
}

func describe(s *engine.Store) storeInfo {
	return storeInfo{Name: s.Name(), ID: s.ID(), Schema: s.Schema().Key, Created: s.Created().UTC(), Events: s.Events()}
}

func (p *program) showStore(s *engine.Store) error {
	d := describe(s)
	if p.json {
		return p.printJSON(d)
	}
	_, err := fmt.Fprintf(p.out, "name     %s\nid       %s\nschema   %s\ncreated  %s\nevents   %s\n",
		d.Name, d.ID, s.Schema().Name, d.Created.Format(time.DateTime), count(int64(d.Events)))
	return err
}

func (p *program) printJSON(v any) error {
	enc := json.NewEncoder(p.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

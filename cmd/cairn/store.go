package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairndb/cairn/engine"
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
			t := newTextTable("name", "id", "created", "events")
			t.right(3)
			for _, s := range list {
				t.row(s.Name, s.ID, s.Created.Format(time.DateTime), count(int64(s.Events)))
			}
			return t.print(p.out)
		},
	}, &cobra.Command{
		Use:     "create NAME",
		Short:   "Create a store",
		Example: "  cairn store create payments",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			lake, err := p.open(false)
			if err != nil {
				return err
			}
			defer lake.Close()
			s, err := lake.CreateStore(c.Context(), args[0])
			if err != nil {
				return err
			}
			return p.showStore(s)
		},
	}, &cobra.Command{
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

type storeInfo struct {
	Name    string    `json:"name"`
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Events  uint64    `json:"events"`
}

func describe(s *engine.Store) storeInfo {
	return storeInfo{Name: s.Name(), ID: s.ID(), Created: s.Created().UTC(), Events: s.Events()}
}

func (p *program) showStore(s *engine.Store) error {
	d := describe(s)
	if p.json {
		return p.printJSON(d)
	}
	_, err := fmt.Fprintf(p.out, "name     %s\nid       %s\ncreated  %s\nevents   %s\n",
		d.Name, d.ID, d.Created.Format(time.DateTime), count(int64(d.Events)))
	return err
}

func (p *program) printJSON(v any) error {
	enc := json.NewEncoder(p.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

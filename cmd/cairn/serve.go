package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/server"
	"github.com/cairndb/cairn/server/auth"
)

// serveFlags declares the settings of a server. Each is a flag, a key of the
// configuration file, and an environment variable.
func serveFlags(f *pflag.FlagSet) {
	f.String("pg", server.DefaultPG, "address for Postgres clients, host:port; off for none")
	f.String("http", server.DefaultHTTP, "address for AWS clients, health, readiness and metrics, host:port; off for none")
	f.Bool("no-auth", false, "let everybody do everything, without passwords; on loopback addresses only")
	f.String("tls-cert", "", "file of the certificate chain, PEM")
	f.String("tls-key", "", "file of the certificate's key, PEM")
	f.Bool("tls-self-signed", false, "make a certificate for this run, when none is given")
	f.Bool("tls-required", false, "refuse Postgres clients without TLS")
	f.String("tls-client-ca", "", "file of the authorities, PEM, by whose certificates clients sign in without a password")
	f.String("topics", "", "where the SNS topics are that AWS clients name, to be told of deliveries: awssns:// and a query (region, endpoint), or a webhook, which gets the topic's ARN as the last part of its path (default: none)")
	f.String("log-groups", "", "where the CloudWatch Logs groups are that AWS clients name, which get the events of trails: a directory, with a file of JSON lines for each group, a webhook, which gets the group's ARN as the last part of its path, or a topic or queue (default: none)")
	f.String("mappings", "", "mapping files whose products channels may have as their source, with commas between them (default: the built-in mappings only)")
	f.String("notices", "", "where notices of unusual activity are sent as soon as it is found, before its record: a webhook (https://HOST/PATH#SECRET) or a topic (default: none)")
	f.String("buckets", "", "where the buckets that AWS clients name are: a directory that has them as directories, or s3:// and a query (endpoint, region) for an S3-compatible service (default: none)")
	f.String("regions", "", "regions that AWS clients may sign requests for, with commas between them (default: any)")
	f.String("organization-id", "", "the organization of the accounts, o-…; with organization-management")
	f.String("organization-management", "", "the management account of the organization")
	f.String("organization-members", "", "its member accounts, with commas between them (default: all)")
	f.Int("connections", 500, "how many Postgres clients may be connected")
	f.Duration("idle-timeout", 0, "end sessions that send nothing for this time (default: never)")
	f.Duration("idle-in-transaction-timeout", 30*time.Minute, "end sessions that send nothing within a transaction; below 0 for never")
	f.Duration("statement-timeout", 0, "end statements that run longer (default: none)")
	f.Duration("write-timeout", 2*time.Minute, "end sessions whose client does not read its results")
	f.Duration("shutdown-timeout", 20*time.Second, "how long running statements may go on at the end")
	f.Bool("metrics-open", false, "serve /metrics to this machine without a password; else an admin's or auditor's is asked for")
	f.Bool("audit-queries", false, "record every query, with who asked it and from where, in the store cairn_audit")
	f.Bool("allow-cleartext", false, "let other machines connect without TLS")
	f.String("log-format", "text", "text or json")
	f.String("log-level", "info", "debug, info, warn or error")
}

// configMax bounds a configuration file: a page of text.
const configMax = 64 << 10

// serveSettings reads the settings: flags before the environment, that before the file,
// that before the defaults.
func serveSettings(f *pflag.FlagSet, path string) (*koanf.Koanf, error) {
	k := koanf.New(".")
	var known []string
	f.VisitAll(func(fl *pflag.Flag) { known = append(known, fl.Name) })
	if path != "" {
		if st, err := os.Stat(path); err != nil {
			return nil, usagef("--config: %w", err)
		} else if st.Size() > configMax {
			return nil, usagef("--config %s has %d bytes; a configuration has at most %d", path, st.Size(), configMax)
		}
		if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
			return nil, usagef("--config %s: %w", path, err)
		}
		for _, key := range k.Keys() {
			if !slices.Contains(known, key) {
				return nil, usagef("--config %s: there is no setting %q; there are: %s", path, key, strings.Join(known, ", "))
			}
		}
	}
	err := k.Load(env.Provider(".", env.Opt{Prefix: "CAIRN_", TransformFunc: func(name, value string) (string, any) {
		key := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, "CAIRN_")), "_", "-")
		if !slices.Contains(known, key) {
			return "", nil // of another command
		}
		return key, value
	}}), nil)
	if err != nil {
		return nil, err
	}
	if err := k.Load(posflag.Provider(f, ".", k), nil); err != nil {
		return nil, err
	}
	// koanf reads what is no number or time as zero; that must not pass for one.
	for _, key := range known {
		fl := f.Lookup(key)
		if err := fl.Value.Set(k.String(key)); err != nil {
			return nil, usagef("setting %s: %q is not a value for it (%w)", key, k.String(key), err)
		}
	}
	return k, nil
}

// serveLogger makes the log of a server.
func serveLogger(k *koanf.Koanf, w io.Writer, verbose bool) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(k.String("log-level"))); err != nil {
		return nil, usagef("log-level is debug, info, warn or error, not %q", k.String("log-level"))
	}
	if verbose {
		level = slog.LevelDebug
	}
	o := &slog.HandlerOptions{Level: level}
	switch k.String("log-format") {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, usagef("log-format is text or json, not %q", k.String("log-format"))
}

func (p *program) serveCommand() *cobra.Command {
	var config string
	var settings pflag.FlagSet
	serveFlags(&settings)
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the lake to Postgres and AWS clients",
		Long: `Serve opens the lake and answers Postgres clients (psql, drivers, dashboards) until it is
interrupted. The database is called cairn, its tables are the stores. On --http are the
interface of AWS CloudTrail, for its CLI and SDKs with a key of "cairn user access-key" and
--endpoint-url, health (/healthz), readiness (/readyz) and Prometheus metrics (/metrics).

Every flag is a key of the configuration file (YAML, --config) and an environment variable:
--idle-timeout, idle-timeout: 1h, CAIRN_IDLE_TIMEOUT. Flags win over the environment,
that over the file.

The first start makes the principal admin and prints its password, once; more are made with
cairn user add. Listening beyond this machine should go with TLS.`,
		Example: `  cairn serve
  psql "host=127.0.0.1 port=5433 dbname=cairn user=admin"
  aws cloudtrail list-event-data-stores --endpoint-url http://127.0.0.1:8433
  cairn serve --pg 0.0.0.0:5433 --tls-cert cert.pem --tls-key key.pem --tls-required
  cairn serve --config /etc/cairn/cairn.yaml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			k, err := serveSettings(&settings, config)
			if err != nil {
				return err
			}
			log, err := serveLogger(k, p.err, p.verbose)
			if err != nil {
				return err
			}
			if err := serveCheck(k, log); err != nil {
				return err // before there is a lake
			}
			lake, err := p.openToServe(log, k.Bool("audit-queries"))
			if err != nil {
				return err
			}
			err = p.serve(c.Context(), lake, k, log)
			if e := lake.Close(); err == nil {
				err = e
			}
			return err
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "file of settings, YAML")
	cmd.Flags().AddFlagSet(&settings)
	return cmd
}

// openToServe opens the lake, or makes one; with auditQueries every query is recorded.
func (p *program) openToServe(log *slog.Logger, auditQueries bool) (*engine.Lake, error) {
	dir, err := p.lakeDir()
	if err != nil {
		return nil, err
	}
	making := true
	if _, err := os.Stat(filepath.Join(dir, "FORMAT")); err == nil {
		making = false
	}
	keeper, err := p.keeper(making)
	if err != nil {
		return nil, err
	}
	return engine.Open(dir, &engine.Options{EventHistory: true, AuditQueries: auditQueries, Keeper: keeper, Publish: p.publishTargets(), RunTrails: true, OpenTarget: openTarget, OpenTopic: openTopic, OpenKeeper: p.trailKeeper, Logger: log})
}

// serveConfig is the configuration that the settings make.
func serveConfig(k *koanf.Koanf, log *slog.Logger) server.Config {
	return server.Config{
		PG: k.String("pg"), HTTP: k.String("http"), NoAuth: k.Bool("no-auth"),
		TLSCert: k.String("tls-cert"), TLSKey: k.String("tls-key"), TLSSelfSigned: k.Bool("tls-self-signed"),
		TLSRequired: k.Bool("tls-required"), TLSClientCA: k.String("tls-client-ca"),
		Connections: k.Int("connections"), IdleTime: k.Duration("idle-timeout"), IdleInTransaction: k.Duration("idle-in-transaction-timeout"),
		StatementTime: k.Duration("statement-timeout"), WriteTime: k.Duration("write-timeout"), ShutdownTime: k.Duration("shutdown-timeout"),
		MetricsOpen: k.Bool("metrics-open"), AllowCleartext: k.Bool("allow-cleartext"), Logger: log, Notices: k.String("notices"),
		Regions: listed(k.String("regions")), Organization: organization(k), Buckets: bucketsAt(k.String("buckets")), Targets: targetsAt(k.String("buckets")), Topics: topicsAt(k.String("topics")), LogGroups: logGroupsAt(k.String("log-groups")), Mappings: listed(k.String("mappings")),
	}
}

// serveCheck says what is wrong with the settings, as far as that can be known without the lake.
func serveCheck(k *koanf.Koanf, log *slog.Logger) error {
	for _, err := range []error{checkTopics(k.String("topics")), checkLogGroups(k.String("log-groups")), checkBuckets(k.String("buckets"))} {
		if err != nil {
			return err
		}
	}
	if err := serveConfig(k, log).Check(); err != nil {
		return usagef("%w", err)
	}
	return nil
}

// serve serves an open lake until ctx ends.
func (p *program) serve(ctx context.Context, lake *engine.Lake, k *koanf.Koanf, log *slog.Logger) error {
	cfg := serveConfig(k, log)
	asked := *p
	asked.in = strings.NewReader("") // who asks for a passphrase sits elsewhere
	cfg.OpenBucket = asked.openTarget
	var users *server.Principals
	if cfg.NoAuth {
		cfg.Everybody = server.Everybody(lake)
	} else {
		var err error
		if users, err = server.NewPrincipals(ctx, lake, log); err != nil {
			return err
		}
		cfg.Authenticator = users
	}
	s, err := server.New(lake, cfg)
	if err != nil {
		return err
	}
	if users != nil {
		// Only now that nothing else is in the way: the password is shown once.
		first, err := users.Bootstrap(ctx)
		if err != nil {
			s.Close()
			return err
		}
		if first != nil {
			fmt.Fprintf(p.out, "The lake had no principals. Sign in as %s with the password\n\n    %s\n\nIt is shown this once. Change it: cairn user rotate %s --server %s\n", first.Name, first.Password, first.Name, s.Addr())
		}
	}
	if addr := s.Addr(); addr != "" {
		if host, port, err := net.SplitHostPort(addr); err == nil {
			user := "NAME"
			if cfg.NoAuth {
				user = "anybody"
			} else if _, err := lake.Principal(ctx, auth.BootstrapName); err == nil {
				user = auth.BootstrapName
			}
			fmt.Fprintf(p.err, "Serving %s. Connect with:\n  psql \"host=%s port=%s dbname=cairn user=%s\"\n", lake.Dir(), host, port, user)
		}
	}
	return s.Serve(ctx)
}

package main

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

var rewriteSettings = flag.Bool("rewrite", false, "write server/SETTINGS.md anew")

// otherValues are values of settings that are not the defaults, where their type does not
// tell one.
var otherValues = map[string]string{"log-format": "json", "log-level": "debug", "pg": "127.0.0.1:1", "http": "127.0.0.1:2"}

// other returns a value of a setting that is not its default.
func other(f *pflag.Flag) string {
	if v, ok := otherValues[f.Name]; ok {
		return v
	}
	switch f.Value.Type() {
	case "bool":
		return map[string]string{"true": "false", "false": "true"}[f.DefValue]
	case "int":
		return "7"
	case "duration":
		return "1m17s"
	}
	return "/other"
}

func envOf(name string) string { return "CAIRN_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }

// TestSettings sets every setting as a flag, in the environment and in a file, and looks
// at what the server is told.
func TestSettings(t *testing.T) {
	var all []*pflag.Flag
	var defaults pflag.FlagSet
	serveFlags(&defaults)
	defaults.VisitAll(func(f *pflag.Flag) { all = append(all, f) })
	read := func(t *testing.T, file string, args ...string) (map[string]string, any) {
		t.Helper()
		var f pflag.FlagSet
		serveFlags(&f)
		if err := f.Parse(args); err != nil {
			t.Fatal(err)
		}
		k, err := serveSettings(&f, file)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		f.VisitAll(func(x *pflag.Flag) { out[x.Name] = x.Value.String() })
		log, err := serveLogger(k, os.Stderr, false)
		if err != nil {
			t.Fatal(err)
		}
		_, jsonLog := log.Handler().(*slog.JSONHandler)
		cfg := serveConfig(k, nil)
		return out, []any{cfg, jsonLog, log.Enabled(t.Context(), slog.LevelDebug), k.Bool("audit-queries")}
	}
	_, plain := read(t, "")
	for _, x := range all {
		t.Run(x.Name, func(t *testing.T) {
			value := other(x)
			check := func(how string, got map[string]string, made any) {
				t.Helper()
				for name, v := range got {
					want := defaults.Lookup(name).DefValue
					if name == x.Name {
						want = value
					}
					if v != want {
						t.Errorf("%s: %s is %q, want %q", how, name, v, want)
					}
				}
				if reflect.DeepEqual(made, plain) {
					t.Errorf("%s: the server does not hear of %s", how, x.Name)
				}
			}
			got, made := read(t, "", "--"+x.Name+"="+value)
			check("as a flag", got, made)
			file := filepath.Join(t.TempDir(), "cairn.yaml")
			if err := os.WriteFile(file, fmt.Appendf(nil, "%s: %s\n", x.Name, value), 0o600); err != nil {
				t.Fatal(err)
			}
			got, made = read(t, file)
			check("in a file", got, made)
			t.Setenv(envOf(x.Name), value)
			got, made = read(t, "")
			check("in the environment", got, made)
			// A flag wins over the environment, that over the file.
			if err := os.WriteFile(file, fmt.Appendf(nil, "%s: %s\n", x.Name, x.DefValue), 0o600); err != nil {
				t.Fatal(err)
			}
			if got, _ = read(t, file); got[x.Name] != value {
				t.Errorf("the file wins over the environment: %q", got[x.Name])
			}
			if got, _ = read(t, file, "--"+x.Name+"="+x.DefValue); got[x.Name] != x.DefValue {
				t.Errorf("the environment wins over the flag: %q", got[x.Name])
			}
		})
	}

	var page strings.Builder
	page.WriteString("# Settings of `cairn serve`\n\nMade by `go test ./cmd/cairn -run Settings -rewrite` from the flags. Each is a flag, a key of the file given with\n" +
		"`--config` (YAML), and an environment variable; a flag wins over the environment, that over the file. Besides them there\n" +
		"are the flags of all commands: `--dir` (`CAIRN_DIR`), `--keeper` (`CAIRN_KEEPER`), `--verbose`.\n\n" +
		"| flag | key | environment | default | what it does |\n|---|---|---|---|---|\n")
	for _, x := range all {
		value := x.DefValue
		if value == "" || value == "0s" {
			value = "none"
		}
		fmt.Fprintf(&page, "| `--%s` | `%s` | `%s` | %s | %s |\n", x.Name, x.Name, envOf(x.Name), value, x.Usage)
	}
	path := filepath.Join("..", "..", "server", "SETTINGS.md")
	if *rewriteSettings {
		if err := os.WriteFile(path, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(path); err != nil || string(have) != page.String() {
		t.Errorf("server/SETTINGS.md is not what the flags are (%v): go test ./cmd/cairn -run Settings -rewrite", err)
	}
}

// TestSettingsThatAreWrong are refused before anything is opened.
func TestSettingsThatAreWrong(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lake")
	file := filepath.Join(t.TempDir(), "cairn.yaml")
	if err := os.WriteFile(file, []byte("idle-tiemout: 1h\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--config", file}, "idle-tiemout"},
		{[]string{"--config", file + "x"}, "no such file"},
		{[]string{"--connections", "many"}, "connections"},
		{[]string{"--log-format", "xml"}, "text or json"},
		{[]string{"--log-level", "loud"}, "debug, info"},
	} {
		_, errOut, status := cairn(t, "", append([]string{"serve", "--dir", dir}, c.args...)...)
		if status != exitUsage || !strings.Contains(errOut, c.says) {
			t.Errorf("cairn serve %v: status %d: %s", c.args, status, errOut)
		}
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a lake was made")
	}
	for _, args := range [][]string{{"--pg", "0.0.0.0:0"}, {"--pg", "0.0.0.0:0", "--no-auth", "--tls-self-signed"}} {
		if _, errOut, status := cairn(t, "", append([]string{"serve", "--dir", dir, "--http", "off"}, args...)...); status == exitFine || errOut == "" {
			t.Errorf("cairn serve %v: status %d: %s", args, status, errOut)
		}
	}
}

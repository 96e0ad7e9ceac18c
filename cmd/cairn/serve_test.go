package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
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
	for _, args := range [][]string{
		{"--pg", "0.0.0.0:0"}, {"--pg", "0.0.0.0:0", "--no-auth", "--tls-self-signed"}, {"--pg", "off"}, {"--pg", "5433"}, {"--pg", "127.0.0.1:many"}, {"--pg", "127.0.0.1:99999"},
		{"--pg", "[1 2]"}, {"--connections", "-5"}, {"--write-timeout", "-1s"}, {"--statement-timeout", "-1s"}, {"--tls-cert", "none.pem"}, {"--tls-cert", "none.pem", "--tls-key", "none.key"},
		{"--tls-required"}, {"--tls-self-signed", "--tls-client-ca", "none.pem"}, {"--buckets", "/none"}, {"--topics", "none"},
	} {
		if _, errOut, status := cairn(t, "", append([]string{"serve", "--dir", dir, "--http", "off"}, args...)...); status != exitUsage || errOut == "" {
			t.Errorf("cairn serve %v: status %d: %s", args, status, errOut)
		}
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a lake was made")
	}
	// A port that somebody else has is known only when it is asked for: then no password has been made yet, and
	// the next start shows it.
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	out, errOut, status := cairn(t, "", "serve", "--dir", dir, "--http", "off", "--pg", taken.Addr().String())
	if status != exitFailed || !strings.Contains(errOut, "in use") || strings.Contains(out, "password") {
		t.Errorf("a port that is taken: status %d: %s%s", status, out, errOut)
	}
	if out, errOut, _ := cairn(t, "", "user", "list", "--dir", dir); strings.Contains(out, "admin") {
		t.Errorf("there is an admin whose password nobody has seen: %s%s", out, errOut)
	}
}

// TestServeDocuments: what server/README.md shows of files for service managers and containers is
// what the program takes.
func TestServeDocuments(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "server", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string) string {
		t.Helper()
		_, rest, ok := strings.Cut(string(page), "```"+kind+"\n")
		text, _, ended := strings.Cut(rest, "```")
		if !ok || !ended {
			t.Fatalf("there is no example in %s", kind)
		}
		return text
	}
	parse := func(what string, args []string) {
		t.Helper()
		var f pflag.FlagSet
		serveFlags(&f)
		f.String("dir", "", "")
		f.String("config", "", "")
		if err := f.Parse(args); err != nil || f.NArg() > 0 {
			t.Errorf("%s: %v, %q", what, err, f.Args())
		}
	}
	unit := block("ini")
	_, command, ok := strings.Cut(unit, "ExecStart=/usr/local/bin/cairn serve ")
	command, _, _ = strings.Cut(command, "\n")
	if !ok {
		t.Fatal("the unit starts something else")
	}
	parse("the unit", strings.Fields(command))
	_, entry, ok := strings.Cut(block("dockerfile"), "ENTRYPOINT ")
	var args []string
	if err := json.Unmarshal([]byte(entry), &args); err != nil || !ok || len(args) < 2 || args[0] != "/cairn" || args[1] != "serve" {
		t.Fatalf("ENTRYPOINT %s: %v", entry, err)
	}
	parse("the Dockerfile", args[2:])
	file := filepath.Join(t.TempDir(), "cairn.yaml")
	if err := os.WriteFile(file, []byte(block("yaml")), 0o600); err != nil {
		t.Fatal(err)
	}
	var f pflag.FlagSet
	serveFlags(&f)
	if _, err := serveSettings(&f, file); err != nil {
		t.Errorf("the configuration: %v", err)
	}
	// Where there is systemd it says itself what it thinks of the unit, with a program that is there.
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("no systemd-analyze here: the unit is read by this test only")
		return
	}
	path := filepath.Join(t.TempDir(), "cairn.service")
	if err := os.WriteFile(path, []byte(strings.Replace(unit, "/usr/local/bin/cairn", "/bin/true", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", path).CombinedOutput(); err != nil || strings.Contains(string(out), "cairn.service") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

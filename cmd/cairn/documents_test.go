package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The repository, and the page that tells how to serve.
const repository, serving = "../..", "../../server/README.md"

// fenced are the fenced blocks of a page, with what stands behind the fence.
func fenced(t *testing.T, path string) (languages, blocks []string) {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	open := false
	for line := range strings.Lines(string(page)) {
		if fence, is := strings.CutPrefix(strings.TrimSpace(line), "```"); is {
			if open = !open; open {
				languages, blocks = append(languages, fence), append(blocks, "")
			}
		} else if open {
			blocks[len(blocks)-1] += line
		}
	}
	return languages, blocks
}

// fencedAs is the one block of a page in a language.
func fencedAs(t *testing.T, path, language string) string {
	t.Helper()
	languages, blocks := fenced(t, path)
	i := slices.Index(languages, language)
	if i < 0 || slices.Contains(languages[i+1:], language) {
		t.Fatalf("%s has not one block of %s", path, language)
	}
	return blocks[i]
}

// lineWords takes a line of a shell apart at blanks; what follows a pipe, a redirection or a
// comment is left out.
func lineWords(line string) []string {
	var out []string
	var word strings.Builder
	var quote rune
	in := false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			quote, in = r, true
		case strings.ContainsRune("|;&<>#", r) && !in:
			return out
		case r == ' ' || r == '\t' || strings.ContainsRune("|;&<>)", r):
			if in {
				out = append(out, word.String())
				word.Reset()
			}
			if in = false; r != ' ' && r != '\t' {
				return out
			}
		default:
			in = true
			word.WriteRune(r)
		}
	}
	if in {
		out = append(out, word.String())
	}
	return out
}

// known says what is wrong with the arguments of a command line: a command or a flag that
// there is not.
func known(root *cobra.Command, args []string) string {
	c, _, err := root.Find(args)
	if err != nil {
		return err.Error()
	}
	for i, a := range args {
		name, flag := strings.CutPrefix(a, "--")
		if name, _, _ = strings.Cut(name, "="); !flag || name == "" || name == "help" || i == 0 && name == "version" {
			continue
		}
		if c.Flags().Lookup(name) == nil && c.InheritedFlags().Lookup(name) == nil {
			return c.CommandPath() + " has no flag --" + name
		}
	}
	return ""
}

var commandLine = regexp.MustCompile(`(?:^|[;|&(]|\$)\s*(?:[A-Z_]+=\S*\s+)*cairn\s+([a-z][^;\n]*)`)

// TestDocumentedCommands: the command lines of the documentation, and of the commands' own
// help, are of commands and flags that there are.
func TestDocumentedCommands(t *testing.T) {
	root := (&program{}).root()
	found := 0
	check := func(where, text string) {
		for line := range strings.Lines(text) {
			for _, m := range commandLine.FindAllStringSubmatch(line, -1) {
				found++
				if wrong := known(root, lineWords(m[1])); wrong != "" {
					t.Errorf("%s: %s: %s", where, strings.TrimSpace(line), wrong)
				}
			}
		}
	}
	code := regexp.MustCompile("`(cairn [a-z][^`]*)`")
	err := filepath.WalkDir(repository, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && path != repository && (strings.HasPrefix(name, ".") || name == "testdata") {
			return fs.SkipDir
		}
		if filepath.Ext(path) != ".md" || d.Name() == "CHANGELOG.md" {
			return nil
		}
		_, blocks := fenced(t, path)
		for _, b := range blocks {
			check(path, b)
		}
		page, err := os.ReadFile(path)
		for _, m := range code.FindAllStringSubmatch(string(page), -1) {
			check(path, strings.ReplaceAll(m[1], "\n", " "))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var help func(c *cobra.Command)
	help = func(c *cobra.Command) {
		check(c.CommandPath(), c.Example)
		check(c.CommandPath(), c.Long)
		for _, sub := range c.Commands() {
			help(sub)
		}
	}
	help(root)
	if found < 100 {
		t.Errorf("only %d command lines were found", found)
	}
}

// TestDocumentedConfiguration reads the file of settings in the documentation as the server
// does. What it says behind a key about the flag and the environment is so.
func TestDocumentedConfiguration(t *testing.T) {
	text := fencedAs(t, serving, "yaml")
	file := filepath.Join(t.TempDir(), "cairn.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var flags pflag.FlagSet
	serveFlags(&flags)
	k, err := serveSettings(&flags, file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		setting, comment, _ := strings.Cut(line, "#")
		key, _, ok := strings.Cut(setting, ":")
		if !ok {
			continue
		}
		if k.String(key) == "" || flags.Lookup(key) == nil {
			t.Errorf("%s is no setting", key)
		}
		for _, word := range strings.FieldsFunc(comment, func(r rune) bool { return r == ' ' || r == ',' || r == '\n' }) {
			if strings.HasPrefix(word, "CAIRN_") && word != envOf(key) || strings.HasPrefix(word, "--") && word != "--"+key {
				t.Errorf("%s is not %s", key, word)
			}
		}
	}
}

// serveArguments reads the arguments of a server that stand in the documentation as the
// server does.
func serveArguments(t *testing.T, args []string) (*pflag.FlagSet, func(key string) string) {
	t.Helper()
	root := (&program{}).root()
	c, rest, err := root.Find(args)
	if err != nil || c.Name() != "serve" {
		t.Fatalf("%q: %v", args, err)
	}
	if err := c.ParseFlags(rest); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	k, err := serveSettings(c.LocalFlags(), "")
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return c.Flags(), k.String
}

// TestDocumentedUnit checks the unit of systemd in the documentation, with systemd's own
// program where there is one.
func TestDocumentedUnit(t *testing.T) {
	unit := fencedAs(t, serving, "ini")
	values := map[string]string{}
	for line := range strings.Lines(unit) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			values[key] = value
		}
	}
	command := strings.Fields(values["ExecStart"])
	if len(command) < 2 || filepath.Base(command[0]) != "cairn" {
		t.Fatalf("the unit runs %q", command)
	}
	flags, setting := serveArguments(t, command[1:])
	dir, err := flags.GetString("dir")
	if err != nil || dir != values["ReadWritePaths"] || dir != filepath.Join("/var/lib", values["StateDirectory"]) {
		t.Errorf("the lake is in %s, of which the unit says StateDirectory=%s, ReadWritePaths=%s", dir, values["StateDirectory"], values["ReadWritePaths"])
	}
	stop, err1 := time.ParseDuration(values["TimeoutStopSec"] + "s")
	shutdown, err2 := time.ParseDuration(setting("shutdown-timeout"))
	if err1 != nil || err2 != nil || stop <= shutdown {
		t.Errorf("systemd kills after %v what takes up to %v to end (%v, %v)", stop, shutdown, err1, err2)
	}
	verify, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Logf("not looked at by systemd: %v", err)
		return
	}
	// The program is not where it would be installed.
	file := filepath.Join(t.TempDir(), "cairn.service")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(unit, command[0], "/bin/true")), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(verify, "verify", "--man=no", file).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "cairn.service") {
			t.Errorf("systemd: %s", line)
		}
	}
	if err != nil && !strings.Contains(string(out), "cairn.service") {
		t.Logf("systemd-analyze cannot run here: %v: %s", err, out)
	}
}

// TestDocumentedImage reads the Dockerfile of the documentation: what it builds is this
// program, with a compiler that go.mod takes and without C, and what it runs is a server
// that starts and whose ports are open.
func TestDocumentedImage(t *testing.T) {
	var from, run []string
	var entry []string
	exposed := map[string]bool{}
	volume, copied := "", ""
	for line := range strings.Lines(fencedAs(t, serving, "dockerfile")) {
		what, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch what {
		case "":
		case "FROM":
			from = append(from, rest)
		case "RUN":
			run = append(run, rest)
		case "COPY":
			copied = rest[strings.LastIndex(rest, " ")+1:]
		case "VOLUME":
			volume = rest
		case "EXPOSE":
			for _, port := range strings.Fields(rest) {
				exposed[port] = true
			}
		case "ENTRYPOINT":
			if err := json.Unmarshal([]byte(rest), &entry); err != nil {
				t.Errorf("%s: %v", line, err)
			}
		case "WORKDIR":
		default:
			t.Errorf("unknown: %s", line)
		}
	}
	mod, err := os.ReadFile(filepath.Join(repository, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	wants := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(mod)
	if len(from) != 2 || wants == nil || from[0] != "golang:"+string(wants[1])+" AS build" {
		t.Errorf("built by %q, and go.mod has %s", from, wants)
	}
	build := regexp.MustCompile(`^CGO_ENABLED=0 go build -trimpath -o (\S+) (\./\S+)$`).FindStringSubmatch(strings.Join(run, "\n"))
	if build == nil {
		t.Fatalf("the build is %q", run)
	}
	if here, err := os.Getwd(); err != nil || filepath.Join(here, repository, build[2]) != here {
		t.Errorf("what is built is %s, not this program", build[2])
	}
	if len(entry) < 2 || entry[0] != copied || build[1] != copied {
		t.Fatalf("%s is built, %s copied, %q run", build[1], copied, entry)
	}
	flags, setting := serveArguments(t, entry[1:])
	if dir, _ := flags.GetString("dir"); dir != volume {
		t.Errorf("the lake is in %s, and %s is kept", dir, volume)
	}
	for _, key := range []string{"pg", "http"} {
		host, port, _ := strings.Cut(setting(key), ":")
		if host != "0.0.0.0" || !exposed[port] {
			t.Errorf("%s listens on %s, and %v are exposed", key, setting(key), exposed)
		}
	}
	if setting("tls-cert") == "" && setting("tls-self-signed") != "true" {
		t.Error("a server that other machines reach has no TLS")
	}
}

package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/cairndb/cairn/engine"
)

// childDir names the lake that a child process of TestSecondProcess asks.
const childDir = "CAIRN_TEST_CHILD_DIR"

// TestSecondProcess: while one process has a lake open, another hears who has
// it, and nothing is harmed.
func TestSecondProcess(t *testing.T) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(run(context.Background(), []string{"query", "SELECT 1", "--dir", dir}, os.Stdin, os.Stdout, os.Stderr))
	}
	dir := t.TempDir()
	lake, err := engine.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	child := func() (string, error) {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestSecondProcess$")
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := child()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitFailed {
		t.Errorf("the second process ended with %v: %s", err, out)
	}
	for _, want := range []string{dir, "process", strconv.Itoa(os.Getpid())} {
		if !strings.Contains(out, want) {
			t.Errorf("the second process does not say %q: %s", want, out)
		}
	}
	if _, err := engine.Open(dir, nil); !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("opening twice in one process: %v", err)
	}
	if err := lake.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := child(); err != nil {
		t.Errorf("after Close: %v: %s", err, out)
	}
}

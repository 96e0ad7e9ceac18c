package logfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/cairndb/cairn/engine/event"
)

func TestTimeOf(t *testing.T) {
	for _, test := range []struct{ path, want string }{
		{"x/210987654321_CloudTrail_eu-west-1_20260102T0305Z_Ab3dEf5hIj7kLm9n.json.gz", "2026-01-02T03:05:00Z"},
		{"210987654321_CloudTrail-Insight_eu-west-1_20260102T0305Z_x.json.gz", "2026-01-02T03:05:00Z"},
		{"210987654321_CloudTrail-Digest_eu-west-1_trail_eu-west-1_20260102T030507Z.json.gz", "2026-01-02T03:05:07Z"},
		{"AWSLogs/2019/01/01/210987654321_CloudTrail_eu-west-1_20260102T0305Z_x.json.gz", "2026-01-02T03:05:00Z"},
		{"AWSLogs/210987654321/CloudTrail/eu-west-1/2026/01/02/x.json.gz", "2026-01-02T00:00:00Z"},
		{"firehose/2026/01/02/03/x", "2026-01-02T03:00:00Z"},
		{"lake/year=2026/month=01/day=02/hour=03/x.parquet", "2026-01-02T03:00:00Z"},
		{`logs\2026\01\02\x.json`, "2026-01-02T00:00:00Z"},
		{"2020/01/01/old/2026/01/02/x", "2026-01-02T00:00:00Z"},
		{"2026/01/02", ""},
		{"2026/13/02/x", ""},
		{"a/b.json", ""},
		{"x_20261302T0305Z_x.json", ""},
		{"x_120260102T0305Z_x.json", ""},
		{"20260102T0305.json", ""},
		{"", ""},
	} {
		at, ok := TimeOf(test.path)
		if ok != (test.want != "") || ok && event.FormatTime(at) != test.want {
			t.Errorf("%s tells %s (%v), want %s", test.path, event.FormatTime(at), ok, test.want)
		}
	}
}

// tree makes files with the given names and their own name as content.
func tree(t *testing.T, fs vfs.FS, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := fs.MkdirAll(fs.PathDir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(name)); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func paths(files []File) string {
	var s []string
	for _, f := range files {
		s = append(s, f.Path)
	}
	return strings.Join(s, " ")
}

func TestWalk(t *testing.T) {
	fs := vfs.NewMem()
	tree(t, fs,
		"logs/b/1_CloudTrail_x_20260102T0305Z_1.json.gz", "logs/a/2_CloudTrail_x_20260102T0310Z_1.json.gz",
		"logs/a/2_CloudTrail_x_20260102T0300Z_1.json.gz", "logs/z.json", "logs/a/y.json", "logs/a/.hidden", "logs/odd[1].json",
	)
	all := "logs/a/2_CloudTrail_x_20260102T0300Z_1.json.gz logs/b/1_CloudTrail_x_20260102T0305Z_1.json.gz " +
		"logs/a/2_CloudTrail_x_20260102T0310Z_1.json.gz logs/a/.hidden logs/a/y.json logs/odd[1].json logs/z.json"
	for _, test := range []struct {
		args, want, reasons string
	}{
		{"logs", all, ""},
		{"logs logs/a logs/z.json", all, ""},
		{"logs/z.json", "logs/z.json", ""},
		{"logs/odd[1].json", "logs/odd[1].json", ""},
		{"logs/*.json", "logs/odd[1].json logs/z.json", ""},
		{"logs/*/y.json", "logs/a/y.json", ""},
		{"l?gs/[a-c]/*y*", "logs/a/y.json", ""},
		{"logs/**/*.json", "logs/a/y.json logs/odd[1].json logs/z.json", ""},
		{"**/y.json", "logs/a/y.json", ""},
		{"logs/**", all, ""},
		{"logs/*", "logs/a/2_CloudTrail_x_20260102T0300Z_1.json.gz logs/b/1_CloudTrail_x_20260102T0305Z_1.json.gz " +
			"logs/a/2_CloudTrail_x_20260102T0310Z_1.json.gz logs/a/.hidden logs/a/y.json logs/odd[1].json logs/z.json", ""},
		{"nothing logs/z.json", "logs/z.json", "no such file"},
		{"logs/*.xml", "", "no such file"},
		{"logs/[", "", "no such file"},
		{"logs/z.json/x*", "", "cannot be read"},
	} {
		files, rejects := Walk(fs, strings.Fields(test.args))
		if got := paths(files); got != test.want {
			t.Errorf("%s: %s, want %s", test.args, got, test.want)
		}
		if got := (outcome{rejects: rejects}).reasons(); got != test.reasons {
			t.Errorf("%s: %v, want %q", test.args, rejects, test.reasons)
		}
		for _, f := range files {
			if f.Size != int64(len(f.Path)) {
				t.Errorf("%s has size %d", f.Path, f.Size)
			}
		}
	}
}

func TestWalkFaults(t *testing.T) {
	mem := vfs.NewMem()
	tree(t, mem, "logs/a/1.json", "logs/b/2.json", "logs/c.json")
	cause := errors.New("no permission")
	for _, test := range []struct{ broken, want string }{
		{"logs/a", "logs/b/2.json logs/c.json"},
		{"logs/c.json", "logs/a/1.json logs/b/2.json"},
		{"logs", ""},
	} {
		fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Path == test.broken {
				return cause
			}
			return nil
		}))
		files, rejects := Walk(fs, []string{"logs"})
		if got := paths(files); got != test.want {
			t.Errorf("%s: %s, want %s", test.broken, got, test.want)
		}
		if len(rejects) != 1 || rejects[0].Reason != Unreadable || rejects[0].Path != test.broken || !errors.Is(rejects[0], cause) {
			t.Errorf("%s: %v", test.broken, rejects)
		}
	}
}

func TestWalkLinks(t *testing.T) {
	dir := t.TempDir()
	tree(t, vfs.Default, filepath.Join(dir, "logs/a/1.json"), filepath.Join(dir, "logs/b/2.json"), filepath.Join(dir, "other/3.json"))
	for _, link := range [][2]string{
		{"..", "logs/a/up"}, {"../../other", "logs/a/over"}, {"1.json", "logs/a/same.json"}, {"nowhere", "logs/b/dangling"}, {"self", "logs/b/self"},
	} {
		if err := os.Symlink(link[0], filepath.Join(dir, link[1])); err != nil {
			t.Skip("no symbolic links here: ", err)
		}
	}
	for _, arg := range []string{"logs", "logs/**/*.json", "l*"} {
		files, rejects := Walk(vfs.Default, []string{filepath.Join(dir, arg)})
		if len(files) != 3 {
			t.Errorf("%s: %s", arg, paths(files))
		}
		// Up is the directory itself, dangling and self cannot be read.
		count := map[Reason]int{}
		for _, r := range rejects {
			count[r.Reason]++
		}
		if count[Unreadable] < 2 || count[Unreadable]+count[DirectoryTwice] != len(rejects) || strings.Contains(arg, "**") == (count[DirectoryTwice] == 1) {
			t.Errorf("%s: %v", arg, rejects)
		}
	}
}

func TestWalkNoPermission(t *testing.T) {
	dir := t.TempDir()
	tree(t, vfs.Default, filepath.Join(dir, "closed/1.json"), filepath.Join(dir, "open/2.json"))
	if err := os.Chmod(filepath.Join(dir, "closed"), 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Join(dir, "closed"), 0o755)
	if _, err := os.ReadDir(filepath.Join(dir, "closed")); err == nil {
		t.Skip("this user may read everything")
	}
	files, rejects := Walk(vfs.Default, []string{dir})
	if len(files) != 1 || len(rejects) != 1 || rejects[0].Reason != Unreadable {
		t.Errorf("%s, %v", paths(files), rejects)
	}
}

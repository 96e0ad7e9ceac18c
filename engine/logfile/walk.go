package logfile

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// directoryDepthMax bounds how deep a walk goes, for file systems on which loops
// of links cannot be told otherwise. Linux paths end at 4,096 bytes anyway.
const directoryDepthMax = 256

// File is a file to import.
type File struct {
	// Path is how to open it.
	Path string
	// Size is in bytes, as stored.
	Size int64
	// Time is the event time that the path tells, in microseconds since 1970
	// UTC; Timed says whether it tells one.
	Time  int64
	Timed bool
}

// Walk finds the files that paths name, in the order of [Order]. A path is a
// file, a directory, of which everything below is taken, or, when nothing of
// that name exists, a pattern: * ? [a-z] within one name, and ** as a name for
// any number of directories. Symbolic links are followed; a file or directory
// that is reached twice is taken once.
//
// What cannot be taken (missing, unreadable, neither file nor directory, a loop
// of links) is a reject with its path; the walk goes on.
func Walk(fs vfs.FS, paths []string) (files []File, rejects []*Reject) {
	w := walk{fs: fs, seen: map[string]bool{}}
	w.links = vfs.Root(fs) == vfs.Default
	for _, p := range paths {
		w.argument(p)
	}
	Order(w.files)
	return w.files, w.rejects
}

// walk is the state of one Walk.
type walk struct {
	fs      vfs.FS
	links   bool            // the file system is the operating system's and may have links
	seen    map[string]bool // real paths of files and directories taken
	hits    int             // things found or rejected, those found again counted again
	files   []File
	rejects []*Reject
}

func (w *walk) reject(reason Reason, path, detail string, err error) {
	w.hits++
	w.rejects = append(w.rejects, &Reject{Reason: reason, Path: path, Detail: detail, Err: err})
}

// argument takes a path as the user gave it.
func (w *walk) argument(p string) {
	info, err := w.fs.Stat(p)
	switch {
	case err == nil:
		w.found(p, info, 0)
	case errors.Is(err, os.ErrNotExist) && strings.ContainsAny(p, `*?[`):
		before := w.hits
		w.pattern(p)
		if w.hits == before {
			w.reject(NoMatch, p, "nothing matches the pattern", nil)
		}
	case errors.Is(err, os.ErrNotExist):
		w.reject(NoMatch, p, "", nil)
	default:
		w.reject(Unreadable, p, "", err)
	}
}

// realPath returns the one name of a file that can be reached by several.
func (w *walk) realPath(p string) string {
	if w.links {
		if abs, err := filepath.Abs(p); err == nil {
			if real, err := filepath.EvalSymlinks(abs); err == nil {
				return real
			}
			return abs
		}
	}
	return path.Clean(p)
}

// found takes what stands at a path.
func (w *walk) found(p string, info os.FileInfo, depth int) {
	w.hits++
	real := w.realPath(p)
	switch {
	case info.IsDir():
		if w.seen[real] {
			// Nothing is lost, but a link that leads back is worth a word.
			if w.links && filepath.Dir(real) != w.realPath(filepath.Dir(p)) {
				w.reject(DirectoryTwice, p, "it is "+real, nil)
			}
			return
		}
		w.seen[real] = true
		w.directory(p, depth)
	case !info.Mode().IsRegular():
		w.reject(NotARegularFile, p, info.Mode().Type().String(), nil)
	case !w.seen[real]:
		w.seen[real] = true
		f := File{Path: p, Size: info.Size()}
		f.Time, f.Timed = TimeOf(p)
		w.files = append(w.files, f)
	}
}

// directory takes everything below a directory.
func (w *walk) directory(dir string, depth int) {
	if depth >= directoryDepthMax {
		w.reject(DirectoryTooDeep, dir, fmt.Sprintf("more than %d directories", directoryDepthMax), nil)
		return
	}
	names, err := w.list(dir)
	if err != nil {
		w.reject(Unreadable, dir, "listing the directory", err)
		return
	}
	for _, name := range names {
		p := w.fs.PathJoin(dir, name)
		info, err := w.fs.Stat(p)
		if err != nil {
			// Gone since the listing, a link to nowhere, or a loop of links.
			w.reject(Unreadable, p, "", err)
			continue
		}
		w.found(p, info, depth+1)
	}
}

// pattern takes everything that a pattern matches.
func (w *walk) pattern(pattern string) {
	pattern = filepath.ToSlash(pattern)
	dir := "" // where the walk stands
	if strings.HasPrefix(pattern, "/") {
		dir = "/"
	} else if vol := filepath.VolumeName(pattern); vol != "" {
		dir = vol + "/"
		pattern = pattern[len(vol):]
	}
	var parts []string
	for part := range strings.SplitSeq(pattern, "/") {
		if part != "" && part != "." {
			parts = append(parts, part)
		}
	}
	w.match(dir, parts, 0)
}

// match takes what lies below dir and matches the rest of a pattern.
func (w *walk) match(dir string, parts []string, depth int) {
	if depth >= directoryDepthMax {
		w.reject(DirectoryTooDeep, dir, fmt.Sprintf("more than %d directories", directoryDepthMax), nil)
		return
	}
	part, rest := parts[0], parts[1:]
	if !strings.ContainsAny(part, `*?[`) {
		w.matched(w.join(dir, part), rest, depth)
		return
	}
	names, err := w.list(dir)
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			w.reject(Unreadable, dir, "listing the directory", err)
		}
		return
	}
	if part == "**" {
		if len(rest) > 0 {
			w.match(dir, rest, depth)
		}
		for _, name := range names {
			p := w.join(dir, name)
			info, err := w.fs.Stat(p)
			switch {
			case err != nil:
				w.reject(Unreadable, p, "", err)
			case info.IsDir() && !w.loops(dir, p):
				w.match(p, parts, depth+1)
			case len(rest) == 0:
				w.found(p, info, depth)
			}
		}
		return
	}
	for _, name := range names {
		// As in shells, names that begin with a dot must be asked for.
		if name[0] == '.' && part[0] != '.' {
			continue
		}
		ok, err := path.Match(part, name)
		if err != nil {
			w.reject(NoMatch, part, "the pattern is malformed", err)
			return
		}
		if ok {
			w.matched(w.join(dir, name), rest, depth)
		}
	}
}

// matched goes on below a path that has matched the pattern so far.
func (w *walk) matched(p string, rest []string, depth int) {
	info, err := w.fs.Stat(p)
	switch {
	case err != nil:
		if !errors.Is(err, os.ErrNotExist) {
			w.reject(Unreadable, p, "", err)
		}
	case len(rest) == 0:
		w.found(p, info, 0)
	case info.IsDir():
		w.match(p, rest, depth+1)
	}
}

// loops reports whether directory p, found in dir, is one that dir lies in.
func (w *walk) loops(dir, p string) bool {
	if !w.links {
		return false
	}
	real := w.realPath(p)
	rel, err := filepath.Rel(real, w.realPath(dir))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// list returns the names in a directory, in order.
func (w *walk) list(dir string) ([]string, error) {
	if dir == "" {
		dir = "/"
		if w.links {
			dir = "."
		}
	}
	names, err := w.fs.List(dir)
	slices.Sort(names)
	return names, err
}

// join is PathJoin, but adds nothing where nothing was typed.
func (w *walk) join(dir, name string) string {
	if dir == "" {
		return name
	}
	return w.fs.PathJoin(dir, name)
}

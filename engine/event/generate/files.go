package generate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/klauspost/compress/gzip"
)

// Summary is what WriteFiles wrote.
type Summary struct {
	Files      int   // log files, without truth.json
	Events     int64 // records in them
	Bytes      int64 // before compression
	Compressed int64 // after it
	Anomalies  int
}

// Progress is how far WriteFiles has come.
type Progress struct {
	Files, FilesTotal   int
	Events, EventsTotal int64
	Compressed          int64
}

// filePlan is one log file: a stream over some slots.
type filePlan struct {
	stream *stream
	from   int64
	to     int64
	events int64
}

// windows are the possible lengths of a log file in slots of an hour; where slots are shorter, a file may be too.
var windows = []int64{1, 2, 3, 4, 6, 8, 12, 24, 48, 72, 120, 168, 240, 336, 504, 720, 1080, 1440, 2160, 4380, 8760, 17520, 35040, 87840}

// plan cuts the streams into files of some hundred records: short windows where much happens, long ones where
// little does, none without records. Large data sets have larger files.
func (g *Generator) plan() []filePlan {
	target := int64(350)
	switch {
	case g.opts.Events > 30_000_000:
		target = 2000
	case g.opts.Events > 4_000_000:
		target = 1000
	}
	var files []filePlan
	for _, s := range g.streams {
		n := g.count(s, 0, g.slots)
		width := g.slots
		for _, w := range windows {
			if w < g.slots && n*w >= target*g.slots {
				width = w
				break
			}
		}
		for from := int64(0); from < g.slots; from += width {
			f := filePlan{s, from, min(from+width, g.slots), 0}
			f.events = g.count(s, f.from, f.to)
			for slot := f.from; slot < f.to; slot++ {
				if r, ok := g.inSlot[int64(s.index)*g.slots+slot]; ok {
					f.events += int64(r[1] - r[0])
				}
			}
			if f.events > 0 {
				files = append(files, f)
			}
		}
	}
	return files
}

// path returns a file's folder and name. Both follow the time of delivery: the first multiple of five minutes
// that is at least five minutes after the window.
func (g *Generator) path(f filePlan) (folder, name string) {
	at := (g.start + f.to*g.slot + 2*maxDelay - 1) / 300 * 300
	y, m, d, rest := civil(at)
	r := rng{hash(f.stream.seed, uint64(f.from)<<8|21)}
	random := r.appendAny(nil, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 16)
	a, region := f.stream.account.id, f.stream.region.name
	folder = fmt.Sprintf("AWSLogs/%s/CloudTrail/%s/%04d/%02d/%02d", a, region, y, m, d)
	name = fmt.Sprintf("%s_CloudTrail_%s_%04d%02d%02dT%02d%02dZ_%s.json.gz", a, region, y, m, d, rest/3600, rest/60%60, random)
	return folder, name
}

// gzipLevel is klauspost's third of nine: a tenth smaller than the fastest at two thirds of its speed, and near
// what delivered files have.
const gzipLevel = 1

// WriteFiles writes the log files into dir of fs, in CloudTrail's layout, and truth.json beside the AWSLogs folder.
// Files of the same name are replaced, others left alone. It uses Workers goroutines; progress, if not nil, is called by them, one at a
// time, after each file. Files are not synced: they can be made again. It ends early with ctx's error, or
// the first of fs; what was written until then stays.
func (g *Generator) WriteFiles(ctx context.Context, fs vfs.FS, dir string, progress func(Progress)) (Summary, error) {
	files := g.plan()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		next atomic.Int64
		wait sync.WaitGroup
		mu   sync.Mutex
		sum  Summary
		made = map[string]bool{}
	)
	// folder makes a folder once. Under the lock: workers mostly write into the same few.
	folder := func(path string) error {
		mu.Lock()
		defer mu.Unlock()
		if made[path] {
			return nil
		}
		made[path] = true
		return fs.MkdirAll(path, 0o755)
	}
	for range min(g.opts.Workers, max(1, len(files))) {
		wait.Go(func() {
			w := fileWriter{g: g, c: newRecorder(g)}
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(files) {
					return
				}
				at, name := g.path(files[i])
				at = fs.PathJoin(dir, at)
				err := folder(at)
				if err == nil {
					err = w.write(fs, fs.PathJoin(at, name), files[i])
				}
				if err != nil {
					cancel(fmt.Errorf("writing log file %s: %w", name, err))
					return
				}
				mu.Lock()
				sum.Files++
				sum.Events += files[i].events
				sum.Bytes += int64(len(w.text))
				sum.Compressed += int64(w.packed.Len())
				if progress != nil {
					progress(Progress{sum.Files, len(files), sum.Events, g.opts.Events, sum.Compressed})
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	sum.Anomalies = len(g.truth.Anomalies)
	if ctx.Err() != nil {
		return sum, context.Cause(ctx)
	}
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return sum, fmt.Errorf("writing truth.json: %w", err)
	}
	text, err := json.MarshalIndent(g.truth, "", "  ")
	if err == nil {
		err = writeFile(fs, fs.PathJoin(dir, "truth.json"), append(text, '\n'))
	}
	if err != nil {
		return sum, fmt.Errorf("writing truth.json: %w", err)
	}
	return sum, nil
}

// fileWriter holds the buffers of one worker.
type fileWriter struct {
	g      *Generator
	c      *recorder
	b      batch
	text   []byte
	packed bytes.Buffer
	zip    *gzip.Writer
}

func (w *fileWriter) write(fs vfs.FS, path string, f filePlan) error {
	w.text = append(w.text[:0], `{"Records":[`...)
	for slot := f.from; slot < f.to; slot++ {
		w.b.reset()
		w.c.fill(f.stream, slot, &w.b)
		for _, e := range w.b.entries {
			if len(w.text) > len(`{"Records":[`) {
				w.text = append(w.text, ',')
			}
			w.text = append(w.text, w.b.data[e.off:e.end]...)
		}
	}
	w.text = append(w.text, `]}`...)
	w.packed.Reset()
	if w.zip == nil {
		z, err := gzip.NewWriterLevel(&w.packed, gzipLevel)
		if err != nil {
			return err
		}
		w.zip = z
	} else {
		w.zip.Reset(&w.packed)
	}
	if _, err := w.zip.Write(w.text); err != nil {
		return err
	}
	if err := w.zip.Close(); err != nil {
		return err
	}
	return writeFile(fs, path, w.packed.Bytes())
}

func writeFile(fs vfs.FS, path string, data []byte) error {
	f, err := fs.Create(path, "log-files")
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

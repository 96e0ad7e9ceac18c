package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/gzip"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/segment/column"
)

// keptFiles returns the directory of the log files that the peers get: those that Cairn got, or, where Cairn
// has left out duplicates and what is no event, files with what it has kept, so that all hold the same events.
func keptFiles(ctx context.Context, printed []byte, lakeDir, dir, data string, peers bool) (string, error) {
	var report struct{ Records, Stored, Duplicates, Refused, Expired, FilesRejected int64 }
	if err := json.Unmarshal(printed, &report); err != nil {
		return "", fmt.Errorf("what cairn import says: %w", err)
	}
	if report.Records == report.Stored && report.FilesRejected == 0 {
		return data, nil
	}
	step("Cairn has kept %d of %d records: %d duplicates, %d refused, %d expired; %d files rejected",
		report.Stored, report.Records, report.Duplicates, report.Refused, report.Expired, report.FilesRejected)
	if report.Stored == 0 {
		return "", errors.New("there are no events to ask about")
	}
	if !peers {
		return data, nil
	}
	kept := filepath.Join(dir, "kept")
	if err := errors.Join(os.RemoveAll(kept), os.MkdirAll(kept, 0o755)); err != nil {
		return "", err
	}
	lake, err := engine.Open(lakeDir, &engine.Options{MustExist: true, ReadOnly: true})
	if err != nil {
		return "", err
	}
	defer lake.Close()
	rows, err := lake.Query(ctx, "SELECT eventJson FROM events")
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for n := 0; ; n++ {
		b, err := rows.Next()
		if err == io.EOF {
			return kept, nil
		}
		if err == nil {
			err = writeLog(filepath.Join(kept, fmt.Sprintf("%06d.json.gz", n)), b)
		}
		if err != nil {
			return "", err
		}
	}
}

// writeLog writes records as a log file.
func writeLog(name string, records *column.Batch) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z := gzip.NewWriter(f)
	text := []byte(`{"Records":[`)
	for i := range records.Len {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, cell(records.Cols[0], i)...)
	}
	if _, err := z.Write(append(text, "]}"...)); err != nil {
		return err
	}
	return z.Close()
}

// measureFloor has the program read the whole lake and takes over what it says about its bytes.
func (r *results) measureFloor(cairn, lakeDir string) error {
	printed, err := output(cairn, "stats", "--floor", "--json", "--dir", lakeDir)
	if err != nil {
		return fmt.Errorf("cairn stats: %w", err)
	}
	var stats engine.Stats
	if err := json.Unmarshal(printed, &stats); err != nil {
		return fmt.Errorf("what cairn stats says: %w", err)
	}
	for _, s := range stats.Stores {
		if s.Name != engine.DefaultStore || s.SealedEvents == 0 {
			continue
		}
		n := float64(s.SealedEvents)
		r.Floor, r.Sizes = float64(s.FloorBytes)/n, map[string]float64{"views": float64(s.ViewBytes) / n}
		for _, part := range s.Structures {
			r.Sizes[part.Name] = float64(part.Bytes) / n
		}
	}
	return nil
}

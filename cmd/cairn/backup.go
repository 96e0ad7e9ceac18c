package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/spf13/cobra"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/bucket"
	"github.com/cairndb/cairn/server"
)

// openBucket opens a directory or, by its URL, an object store.
func openBucket(ctx context.Context, target string, mustExist bool) (engine.Bucket, io.Closer, error) {
	if bucket.IsURL(target) {
		b, err := bucket.Open(ctx, target)
		if err != nil {
			return nil, nil, usageError{err}
		}
		return b, b, nil
	}
	dir, err := filepath.Abs(target)
	if err != nil {
		return nil, nil, err
	}
	if info, err := os.Stat(dir); mustExist && err != nil {
		return nil, nil, usagef("there are no backups in %s: %w", target, err)
	} else if err == nil && !info.IsDir() {
		return nil, nil, usagef("%s is not a directory", target)
	}
	return engine.DirBucket(vfs.Default, dir), io.NopCloser(nil), nil
}

const bucketHelp = `a directory, or the URL of a bucket with a prefix:
s3://BUCKET/PREFIX?region=R (and endpoint=URL&use_path_style=true for what speaks S3)`

func (p *program) backupCommand() *cobra.Command {
	var list, verify, rehash bool
	var id string
	cmd := &cobra.Command{
		Use:   "backup DIR|BUCKET-URL",
		Short: "Back the lake up, or list and verify backups",
		Long: `Backup copies the lake, as it is at one moment, to ` + bucketHelp + `.

What earlier backups in the same place have is not copied again: segments never change.
A lake that "cairn serve" has open is backed up by that process, as its user, on the word of
that user or root; environment and credentials for the bucket are the server's then.
Cut short, it is run again and goes on. Everything written is read back; the manifest,
which makes it a backup, comes last. An encrypted lake is backed up encrypted, its key
ring (KEYS) included; keep the keeper elsewhere.`,
		Example: `  cairn backup /mnt/backups/lake
  cairn backup "s3://audit-backups/lake1?region=eu-west-1"
  cairn backup --list /mnt/backups/lake
  cairn backup --verify /mnt/backups/lake`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			to, closer, err := openBucket(c.Context(), args[0], list || verify)
			if err != nil {
				return err
			}
			defer closer.Close()
			switch {
			case list:
				return p.listBackups(c.Context(), to)
			case verify:
				return p.verifyBackup(c.Context(), to, id)
			}
			bar := newProgress(p.err, true)
			r, err := p.backup(c.Context(), args[0], to, engine.BackupOptions{Rehash: rehash, Progress: p.backupBar(bar)})
			bar.finish()
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(backupResult{describeBackup(r.Backup), r.Uploaded, r.UploadedBytes, r.Elapsed.Seconds()})
			}
			fmt.Fprintf(p.out, "backup %s: %s in %s files, %s; %s objects new, %s, read back; %s\n", r.Backup.ID, things(int64(r.Backup.Events()), "event"),
				count(int64(len(r.Backup.Files))), size(r.Backup.Bytes()), count(int64(r.Uploaded)), size(r.UploadedBytes), took(r.Elapsed))
			return nil
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "list the backups there")
	cmd.Flags().BoolVar(&verify, "verify", false, "read a backup there and compare every file with its hash")
	cmd.Flags().StringVar(&id, "backup", "", "the backup to verify (default: the newest)")
	cmd.Flags().BoolVar(&rehash, "rehash", false, "read also the segments that the last backup has")
	cmd.MarkFlagsMutuallyExclusive("list", "verify")
	return cmd
}

// backup backs the lake up, or has the server do it that has the lake open.
func (p *program) backup(ctx context.Context, target string, to engine.Bucket, opts engine.BackupOptions) (*engine.BackupReport, error) {
	dir, err := p.lakeDir()
	if err != nil {
		return nil, err
	}
	if !bucket.IsURL(target) {
		if target, err = filepath.Abs(target); err != nil {
			return nil, err
		}
	}
	r, err := server.Backup(ctx, dir, target, opts)
	if !errors.Is(err, server.ErrNotServed) {
		return r, err
	}
	lake, err := p.open(true)
	if errors.Is(err, engine.ErrUnavailable) && !errors.Is(err, engine.ErrNotWritable) {
		return nil, fmt.Errorf("%w\na lake that is in use is backed up by \"cairn serve\", or by the program that has it open", err)
	}
	if err != nil {
		return nil, err
	}
	r, err = lake.Backup(ctx, to, opts)
	return r, errors.Join(err, lake.Close())
}

type backupInfo struct {
	ID       string    `json:"id"`
	Created  time.Time `json:"created"`
	Events   uint64    `json:"events"`
	Files    int       `json:"files"`
	Bytes    int64     `json:"bytes"`
	Keeper   string    `json:"keeper,omitempty"`
	Previous string    `json:"previous,omitempty"`
}

type backupResult struct {
	backupInfo
	Objects      int     `json:"objectsWritten"`
	ObjectsBytes int64   `json:"bytesWritten"`
	Seconds      float64 `json:"seconds"`
}

func describeBackup(b *engine.Backup) backupInfo {
	return backupInfo{ID: b.ID, Created: b.Created, Events: b.Events(), Files: len(b.Files), Bytes: b.Bytes(), Keeper: b.Keeper, Previous: b.Previous}
}

func (p *program) backupBar(bar *progress) func(engine.BackupProgress) {
	return func(pr engine.BackupProgress) {
		bar.set(pr.BytesDone, pr.Bytes, "%s/%s files", count(int64(pr.FilesDone)), count(int64(pr.Files)))
	}
}

func (p *program) listBackups(ctx context.Context, from engine.Bucket) error {
	all, err := engine.Backups(ctx, from)
	if err != nil {
		return err
	}
	list := []backupInfo{}
	for _, b := range all {
		list = append(list, describeBackup(b))
	}
	if p.json {
		return p.printJSON(list)
	}
	t := newTextTable("backup", "created", "events", "files", "bytes", "keeper")
	t.right(2, 3, 4)
	for _, b := range list {
		t.row(b.ID, b.Created.Format(time.DateTime), count(int64(b.Events)), count(int64(b.Files)), size(b.Bytes), printable(b.Keeper))
	}
	return t.print(p.out)
}

func (p *program) verifyBackup(ctx context.Context, from engine.Bucket, id string) error {
	all, err := engine.Backups(ctx, from)
	if err != nil {
		return err
	}
	var chosen *engine.Backup
	for _, b := range all {
		if id == "" || b.ID == id {
			chosen = b
		}
	}
	if chosen == nil {
		return fmt.Errorf("there is no such backup; see --list")
	}
	bar := newProgress(p.err, true)
	problems, err := engine.VerifyBackup(ctx, from, chosen, func(done, bytes int64) { bar.set(done, bytes, "verifying") })
	bar.finish()
	if err != nil {
		return err
	}
	texts := []string{}
	for _, e := range problems {
		texts = append(texts, e.Error())
	}
	if p.json {
		err = p.printJSON(map[string]any{"backup": chosen.ID, "files": len(chosen.Files), "problems": texts})
	} else {
		for _, text := range texts {
			fmt.Fprintln(p.out, printable(text))
		}
		verdict := "whole"
		if len(texts) > 0 {
			verdict = count(int64(len(texts))) + " problems"
		}
		_, err = fmt.Fprintf(p.out, "backup %s: %s; %s files, %s\n", chosen.ID, verdict, count(int64(len(chosen.Files))), size(chosen.Bytes()))
	}
	if err == nil && len(texts) > 0 {
		err = errReported
	}
	return err
}

// restoredInfo is what is said of a restored lake.
type restoredInfo struct {
	backupInfo
	Lost string `json:"lost,omitempty"` // what the backup cannot bring back
}

// restoredWhole tries what no hash of a backup tells: that the lake can be opened, and can
// sign. An encrypted one is tried only when its keeper is given.
func (p *program) restoredWhole(b *engine.Backup) error {
	keeper, err := p.keeper(false)
	if err != nil {
		return err
	}
	if b.Keeper != "" && keeper == nil {
		fmt.Fprintf(p.err, "note: the lake is encrypted; only with its keeper, %s, can it be opened and read: cairn check --dir %s --keeper URL tries it\n", printable(b.Keeper), p.dir)
		return nil
	}
	if b.Keeper == "" {
		keeper = nil
	}
	lake, err := engine.Open(p.dir, &engine.Options{MustExist: true, ReadOnly: true, Keeper: keeper, Logger: p.logger()})
	if err != nil && b.Keeper != "" {
		return fmt.Errorf("every file was restored, but this keeper does not open the lake: %w: nothing of it can be read without the keeper that it was encrypted for, %s", err, b.Keeper)
	}
	if err != nil {
		return fmt.Errorf("every file was restored, but the lake cannot be opened: %w", err)
	}
	if err := lake.CanSign(); err != nil {
		return errors.Join(fmt.Errorf("every file was restored, but %w", err), lake.Close())
	}
	return lake.Close()
}

func (p *program) restoreCommand() *cobra.Command {
	var id, at string
	cmd := &cobra.Command{
		Use:   "restore DIR|BUCKET-URL --dir NEW-LAKE",
		Short: "Make a lake of a backup",
		Long: `Restore makes a lake, in a directory that is missing or empty, of the newest backup, or of
the newest one that is not younger than --at, or of the one that --backup names. It reads
from ` + bucketHelp + `.

Every file is compared with its hash. Cut short, it is run again and goes on. An encrypted
lake is restored as it is: its keeper is needed to open it, not to restore it. With --keeper
it is tried. Exit status 1 with a restored lake means that it cannot be opened by that keeper,
or cannot sign digests any more, as when its file SECRET was lost before the backup was made.`,
		Example: `  cairn restore /mnt/backups/lake --dir ./restored
  cairn restore /mnt/backups/lake --dir ./restored --at 2026-03-01T12:00:00Z
  cairn restore /mnt/backups/lake --dir ./restored --at yesterday
  cairn check --dir ./restored`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o := engine.RestoreOptions{ID: id}
			if err := notEmpty(c, "at", "backup"); err != nil {
				return err
			}
			var err error
			if o.At, err = flagMoment("at", at, time.Now(), true); err != nil {
				return err
			}
			if !o.At.IsZero() && o.At.Nanosecond() == 0 {
				o.At = o.At.Add(time.Second - 1) // the whole of the second, which is what backups are listed by
			}
			if p.dir == "" {
				return usagef("restore wants --dir: the directory in which to make the lake")
			}
			from, closer, err := openBucket(c.Context(), args[0], true)
			if err != nil {
				return err
			}
			defer closer.Close()
			dir, err := filepath.Abs(p.dir)
			if err != nil {
				return err
			}
			bar := newProgress(p.err, true)
			o.Progress = p.backupBar(bar)
			b, err := engine.Restore(c.Context(), from, dir, o)
			bar.finish()
			if err != nil {
				return err
			}
			lost := p.restoredWhole(b)
			if p.json {
				info := restoredInfo{backupInfo: describeBackup(b)}
				if lost != nil {
					info.Lost = lost.Error()
				}
				return errors.Join(p.printJSON(info), lost)
			}
			fmt.Fprintf(p.out, "restored backup %s, from %s, into %s: %s, %s, %s\n", b.ID, b.Created.Format(time.DateTime), p.dir,
				things(int64(b.Events()), "event"), things(int64(len(b.Files)), "file"), size(b.Bytes()))
			return lost
		},
	}
	cmd.Flags().StringVar(&id, "backup", "", "ID of the backup; see: cairn backup --list")
	cmd.Flags().StringVar(&at, "at", "", "restore what was there at this time, such as 2026-03-01T12:00:00Z, or at the end of this day")
	cmd.MarkFlagsMutuallyExclusive("backup", "at")
	return cmd
}

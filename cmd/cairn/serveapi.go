package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/knadh/koanf/v2"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/bucket"
	"github.com/cairndb/cairn/engine/trail"
	"github.com/cairndb/cairn/server/api"
)

// listed are the items of a setting that is a list, with commas between them.
func listed(text string) (out []string) {
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

// organization is the one that the settings tell of, nil for none. The server checks it.
func organization(k *koanf.Koanf) *api.Organization {
	o := &api.Organization{ID: k.String("organization-id"), Management: k.String("organization-management"), Members: listed(k.String("organization-members"))}
	if o.ID == "" && o.Management == "" && o.Members == nil {
		return nil
	}
	return o
}

// bucketName is what a bucket may be called.
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// checkBuckets says what is wrong with the setting buckets.
func checkBuckets(target string) error {
	if target == "" {
		return nil
	}
	if !bucket.IsURL(target) {
		if info, err := os.Stat(target); err != nil || !info.IsDir() {
			return usagef("setting buckets: %s is not a directory", target)
		}
		return nil
	}
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "s3" || u.Host != "" || strings.Trim(u.Path, "/") != "" {
		return usagef("setting buckets: %q is neither a directory nor s3://?region=… without a bucket", target)
	}
	return nil
}

// checkTopics says what is wrong with the setting topics.
func checkTopics(target string) error {
	if target == "" {
		return nil
	}
	u, err := url.Parse(target)
	ok := err == nil && (u.Scheme == "awssns" && u.Host == "" && strings.Trim(u.Path, "/") == "" || (u.Scheme == "http" || u.Scheme == "https") && u.Host != "")
	if !ok {
		return usagef("setting topics: it is neither awssns://?region=… without a topic nor the URL of a webhook")
	}
	return nil
}

// topicsAt returns what names topics by their ARNs; nil for none.
func topicsAt(target string) func(arn string) (string, error) {
	if target == "" {
		return nil
	}
	return func(arn string) (string, error) {
		u, err := url.Parse(target)
		if err != nil {
			return "", err
		}
		u.Path = strings.TrimSuffix(u.Path, "/") + "/" + arn
		return u.String(), nil
	}
}

// checkLogGroups says what is wrong with the setting log-groups.
func checkLogGroups(target string) error {
	if target == "" || trail.IsStream(target) && !strings.HasPrefix(target, "jsonl:") {
		return nil
	}
	if info, err := os.Stat(target); err != nil || !info.IsDir() {
		return usagef("setting log-groups: %s is not a directory, nor the URL of a webhook, topic or queue", target)
	}
	return nil
}

// logFileMax bounds the name of a log group's file: file systems take 255 bytes.
const logFileMax = 240

// logGroupsAt returns what names the streams that stand for log groups, by the groups' ARNs; nil for none.
func logGroupsAt(target string) func(arn string) (string, error) {
	if target == "" {
		return nil
	}
	return func(arn string) (string, error) {
		arn = strings.TrimSuffix(arn, ":*")
		if strings.HasPrefix(target, "http:") || strings.HasPrefix(target, "https:") {
			u, err := url.Parse(target)
			if err != nil {
				return "", err
			}
			return u.JoinPath(url.PathEscape(arn)).String(), nil
		}
		if trail.IsStream(target) {
			return target, nil
		}
		// Without what all groups have; slashes are escaped, so that no group leaves the directory.
		name := url.PathEscape(strings.TrimPrefix(arn, "arn:aws:logs:")) + ".jsonl"
		if len(name) > logFileMax {
			return "", fmt.Errorf("the name of its file has %d bytes, at most %d are taken", len(name), logFileMax)
		}
		dir, err := filepath.Abs(target)
		return "jsonl:" + filepath.Join(dir, name), err
	}
}

// bucketsAt returns what opens buckets by their names: directories of a directory, or those
// of a service; nil for none.
func bucketsAt(target string) api.Buckets {
	if target == "" {
		return nil
	}
	return func(ctx context.Context, name string) (engine.Bucket, io.Closer, error) {
		if !bucketName.MatchString(name) || strings.Contains(name, "..") {
			return nil, nil, fmt.Errorf("there is no bucket %q: %w", name, fs.ErrNotExist)
		}
		if bucket.IsURL(target) {
			u, err := url.Parse(target)
			if err != nil {
				return nil, nil, err
			}
			u.Host, u.Path = name, ""
			return openBucket(ctx, u.String(), true)
		}
		path := filepath.Join(target, name)
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			return nil, nil, fmt.Errorf("there is no bucket %q: %w", name, errors.Join(fs.ErrNotExist, err))
		}
		return openBucket(ctx, path, true)
	}
}

// targetsAt returns what names the targets of trails that deliver to buckets.
func targetsAt(target string) func(bucket string) (string, error) {
	if target == "" {
		return nil
	}
	return func(name string) (string, error) {
		if bucket.IsURL(target) {
			u, err := url.Parse(target)
			if err != nil {
				return "", err
			}
			u.Host, u.Path = name, ""
			return u.String(), nil
		}
		dir, err := filepath.Abs(target)
		return "file:" + filepath.Join(dir, name), err
	}
}

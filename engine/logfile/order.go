package logfile

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cairndb/cairn/engine/event"
)

// TimeOf returns the event time, in microseconds since 1970 UTC, that the path
// of a log file tells: the time stamp in names as CloudTrail writes them
// (ACCOUNT_CloudTrail_REGION_20230710T1145Z_UNIQUE.json.gz), else the day, and
// the hour if there is one, of a path with …/2023/07/10/… or …/2023/07/10/09/…
// in it; also year=2023/month=07/day=10. It is where the file's events start or
// end, give or take minutes: good for ordering, not for filtering.
func TimeOf(path string) (micros int64, ok bool) {
	path = strings.ReplaceAll(path, `\`, "/")
	base := path[strings.LastIndexByte(path, '/')+1:]
	if t, ok := timeInName(base); ok {
		return t, true
	}
	return timeInFolders(path)
}

// timeInName finds YYYYMMDDTHHMMZ or YYYYMMDDTHHMMSSZ standing by itself.
func timeInName(name string) (int64, bool) {
	for i := 8; i+5 < len(name); i++ {
		if name[i] != 'T' || i > 8 && isAlnum(name[i-9]) {
			continue
		}
		end := i + 5
		for end < len(name) && end < i+7 && isDigit(name[end]) {
			end++
		}
		if end >= len(name) || name[end] != 'Z' || end != i+5 && end != i+7 {
			continue
		}
		text := name[i-8 : end]
		if end == i+5 {
			text += "00"
		}
		if t, ok := event.ParseTime(text + "Z"); ok {
			return t, true
		}
	}
	return 0, false
}

// timeInFolders finds the last run of folders that reads as year, month, day
// and perhaps hour.
func timeInFolders(path string) (int64, bool) {
	parts := strings.Split(path, "/")
	parts = parts[:len(parts)-1]
	for i := len(parts) - 3; i >= 0; i-- {
		y, ok1 := folderNumber(parts[i], "year", 4)
		m, ok2 := folderNumber(parts[i+1], "month", 2)
		d, ok3 := folderNumber(parts[i+2], "day", 2)
		if !ok1 || !ok2 || !ok3 {
			continue
		}
		h := "00"
		if i+3 < len(parts) {
			if hour, ok := folderNumber(parts[i+3], "hour", 2); ok {
				h = hour
			}
		}
		if t, ok := event.ParseTime(y + m + d + "T" + h + "0000Z"); ok {
			return t, true
		}
	}
	return 0, false
}

// folderNumber returns the digits of a folder called 07 or month=07.
func folderNumber(folder, name string, digits int) (string, bool) {
	folder = strings.TrimPrefix(folder, name+"=")
	if len(folder) != digits {
		return "", false
	}
	for i := range len(folder) {
		if !isDigit(folder[i]) {
			return "", false
		}
	}
	return folder, true
}

func isDigit(c byte) bool { return c-'0' <= 9 }

func isAlnum(c byte) bool { return isDigit(c) || c|0x20-'a' < 26 }

// Order sorts files by the time that their paths tell, across accounts and
// regions, and those of one time by path. Files whose paths tell nothing come
// last, by path: what was read late then says nothing about when it happened.
func Order(files []File) {
	slices.SortFunc(files, func(a, b File) int {
		if a.Timed != b.Timed {
			if a.Timed {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Path, b.Path))
	})
}

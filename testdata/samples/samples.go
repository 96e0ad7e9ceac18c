// Package samples holds the questions that people ask of an audit log, as SQL
// with a title: what "cairn query --samples" lists and runs. Each question is a
// file of questions/, whose name is the question's; its first line is the title
// and the second says what it is about, both as comments, so that the file runs
// as it is. The answers in answers/ are what the questions give on generated
// events; a test of package enginetest compares.
package samples

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed questions/*.sql
var files embed.FS

// Question is a sample query.
type Question struct {
	Name  string // lower-case words joined by hyphens
	Title string // one line, no full stop
	About string // one sentence
	SQL   string // without the comments
	// Store is the store that it asks first of all: events, configuration,
	// evidence, activity or insights.
	Store string
}

// All returns the questions in order of their names.
func All() []Question {
	entries, err := fs.ReadDir(files, "questions")
	if err != nil {
		panic(err) // the files are part of the program
	}
	var out []Question
	for _, e := range entries {
		data, err := files.ReadFile("questions/" + e.Name())
		if err != nil {
			panic(err)
		}
		lines := strings.SplitN(string(data), "\n", 3)
		title, ok1 := strings.CutPrefix(lines[0], "-- title: ")
		about, ok2 := strings.CutPrefix(lines[1], "-- about: ")
		if !ok1 || !ok2 {
			panic(fmt.Sprintf("samples: %s does not begin with title and about", e.Name()))
		}
		q := Question{Name: strings.TrimSuffix(e.Name(), ".sql"), Title: title, About: about, SQL: strings.TrimSpace(lines[2])}
		q.Store = "events"
		for _, s := range []string{"configuration", "evidence", "activity", "insights"} {
			if strings.Contains(q.SQL, "FROM "+s+"\n") || strings.Contains(q.SQL, "FROM "+s+" ") {
				q.Store = s
			}
		}
		out = append(out, q)
	}
	return out
}

// Find returns the question with a name.
func Find(name string) (Question, bool) {
	for _, q := range All() {
		if q.Name == name {
			return q, true
		}
	}
	return Question{}, false
}

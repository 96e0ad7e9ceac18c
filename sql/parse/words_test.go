package parse

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// A word that the rewriter asks for but the tokenizer does not know would never
// match: the branch behind it would be dead without a sound.
func TestEveryWordAskedForIsKnown(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no source files here:", err)
	}
	asks := regexp.MustCompile(`\.(?:is|isWord|accept|expect)\("([^"]+)"\)`)
	seen := 0
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range asks.FindAllSubmatch(src, -1) {
			seen++
			if words[string(m[1])] == "" {
				t.Errorf("%s asks for the word %q, which is not in words", file, m[1])
			}
		}
	}
	if seen < 100 {
		t.Errorf("found only %d questions: has the spelling changed?", seen)
	}
	for w := range reserved {
		if words[w] == "" {
			t.Errorf("the reserved word %q is not in words", w)
		}
	}
	for w := range clauseWords {
		if words[w] == "" {
			t.Errorf("the word %q is not in words", w)
		}
	}
}

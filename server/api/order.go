package api

import (
	"fmt"
	"sort"
)

// sortable writes a score so that larger ones come first in order of text.
func sortable(score float64) string { return fmt.Sprintf("%08.5f ", 10-score) }

// sortByKey sorts by a text.
func sortByKey[T any](list []T, key func(*T) string) {
	sort.Slice(list, func(i, j int) bool { return key(&list[i]) < key(&list[j]) })
}

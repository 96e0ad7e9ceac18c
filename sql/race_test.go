//go:build race

package sql_test

// raceFactor is how much more the race detector lets everything cost, at most.
const raceFactor = 20

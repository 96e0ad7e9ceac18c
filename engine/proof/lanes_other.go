//go:build !amd64 || purego

package proof

// haveLanes says that there are no vectors to hash with.
const haveLanes = false

// hashLanes is not called where there are no vectors.
func hashLanes(*laneState, *byte, *[lanes]uint64, uint64) {
	panic("proof: hashing in lanes without vectors")
}

package server

import (
	"runtime"

	"sallyport/config"
)

// memoryLimit is where the garbage collector begins to work harder instead of letting
// memory grow: below 512 MiB on a small machine with everything at its default, hashes
// and connections at their most included.
func MemoryLimit(c config.Config) int64 {
	const rest, connection = 192 << 20, 20 << 10
	return rest + int64(parallel(c.Argon2.Parallel))*int64(c.Argon2.Memory)<<10 + int64(c.MaxConnections)*connection
}

// parallel is how many passwords are hashed at once: one a core, unless told otherwise (T-8).
func parallel(setting int) int {
	if setting > 0 {
		return setting
	}
	return runtime.GOMAXPROCS(0)
}

package server

import (
	"runtime"

	"sallyport/config"
)

// MemoryLimit is the soft limit for the garbage collector: below 512 MiB on a small machine
// with default settings, with as many hashes and connections as these allow.
func MemoryLimit(c config.Config) int64 {
	const rest, connection = 192 << 20, 20 << 10
	return rest + int64(Parallel(c.Argon2.Parallel))*int64(c.Argon2.Memory)<<10 + int64(c.MaxConnections)*connection
}

// Parallel is how many passwords are hashed concurrently: by default one per core (T-8).
func Parallel(setting int) int {
	if setting > 0 {
		return setting
	}
	return runtime.GOMAXPROCS(0)
}

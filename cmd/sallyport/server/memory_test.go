package server

import (
	"testing"

	"sallyport/config"
)

func TestMemoryLimit(t *testing.T) {
	c := config.Default()
	c.Argon2.Parallel = 2
	if got := MemoryLimit(c) >> 20; got < 400 || got > 450 {
		t.Errorf("with everything at its default on two cores: %d MiB, want what leaves room below 512", got)
	}
	c.Argon2.Parallel, c.Argon2.Memory, c.MaxConnections = 64, 1<<20, 100000
	if got := MemoryLimit(c) >> 30; got < 64 {
		t.Errorf("64 hashes of 1 GiB at once: %d GiB, want room for them", got)
	}
}

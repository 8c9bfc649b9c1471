package server

import (
	"testing"

	"sallyport/config"
)

func TestMemoryLimit(t *testing.T) {
	c := config.Default()
	c.Argon2.Parallel = 2
	if got := MemoryLimit(c) >> 20; got < 400 || got > 450 {
		t.Errorf("with everything at its default on two cores: %d MiB, want less than 512 with a margin", got)
	}
	c.Argon2.Parallel, c.Argon2.Memory, c.MaxConnections = 64, 1<<20, 100000
	if got := MemoryLimit(c) >> 30; got < 64 {
		t.Errorf("64 concurrent hashes of 1 GiB: %d GiB, want enough for them", got)
	}
}

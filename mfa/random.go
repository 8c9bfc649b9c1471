package mfa

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// Uniform returns a random number from 0 to n-1, each equally likely; n is not 0.
func Uniform(random io.Reader, n uint32) (uint32, error) {
	over := math.MaxUint32 - math.MaxUint32%n // from here on, some numbers would be likelier
	for {
		var b [4]byte
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return 0, fmt.Errorf("read random bytes: %w", err)
		}
		if x := binary.BigEndian.Uint32(b[:]); x < over {
			return x % n, nil
		}
	}
}

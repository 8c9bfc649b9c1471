package seal

import (
	"bytes"
	"crypto/rand"
	"math/big"
	"strings"
	"testing"
)

func TestToken(t *testing.T) {
	k := loaded(t, newKEKs(t, 1), 1)
	seen := map[string]bool{}
	for _, use := range []string{"session", "token", "code", "remembered"} {
		for _, id := range [][16]byte{{}, {1}, {15: 1}, {0: 0xff, 15: 0xff}} {
			for _, generation := range []uint32{0, 1, 2, 1 << 31, 1<<32 - 1} {
				token := k.Token(use, id, generation)
				if len(token) != 64 || strings.Trim(token, alphabet) != "" {
					t.Fatalf("token is %q, want 64 base62 characters", token)
				}
				if token != k.Token(use, id, generation) {
					t.Error("the same record and generation gave two tokens")
				}
				if seen[token] {
					t.Errorf("token %q twice", token)
				}
				seen[token] = true
				gotID, gotGeneration, ok := k.OpenToken(use, token)
				if !ok || gotID != id || gotGeneration != generation {
					t.Errorf("OpenToken = %x %d %v, want %x %d", gotID, gotGeneration, ok, id, generation)
				}
				for _, other := range []string{"session", "token", "code", "remembered", "hash", "nonsense"} {
					if _, _, ok := k.OpenToken(other, token); ok && other != use {
						t.Errorf("a %s token opens as %s", use, other)
					}
				}
			}
		}
	}
}

func TestOpenTokenRefuses(t *testing.T) {
	k := loaded(t, newKEKs(t, 1), 2)
	token := k.Token("session", [16]byte{1, 2, 3}, 4)
	for i := range token {
		for _, c := range []string{"0", "z", "A", "-", "\x00"} {
			changed := token[:i] + c + token[i+1:]
			if _, _, ok := k.OpenToken("session", changed); ok && changed != token {
				t.Errorf("%q opens with character %d changed to %q", token, i, c)
			}
		}
	}
	for _, bad := range []string{"", "x", token[:63], token + "0", strings.Repeat("z", 64), strings.Repeat("0", 64), strings.Repeat("é", 32)} {
		if _, _, ok := k.OpenToken("session", bad); ok {
			t.Errorf("%q opens", bad)
		}
	}
	// The same value with another filler is refused.
	value, filler, _ := decode(token)
	if _, _, ok := k.OpenToken("session", encode(value, (filler+1)%fillers)); ok {
		t.Error("a token with another filler opens")
	}
	if _, _, ok := loaded(t, newKEKs(t, 1), 1).OpenToken("session", token); ok {
		t.Error("another server's token opens")
	}
}

// TestTokensAreNumbers: a token is the number of its bytes in base 62, whatever computes it.
func TestTokensAreNumbers(t *testing.T) {
	least, most := make([]byte, tagLength+bodyLength), bytes.Repeat([]byte{0xff}, tagLength+bodyLength)
	values := [][]byte{least, most}
	for range 1000 {
		v := make([]byte, tagLength+bodyLength)
		_, _ = rand.Read(v)
		values = append(values, v)
	}
	for i, value := range values {
		filler := byte(i % fillers)
		token := encode(value, filler)
		n := new(big.Int)
		for _, c := range []byte(token) {
			n.Add(n.Mul(n, big.NewInt(62)), big.NewInt(digitOf(c)))
		}
		if want := new(big.Int).SetBytes(append([]byte{filler}, value...)); n.Cmp(want) != 0 {
			t.Fatalf("encode(%x, %d) = %q, which is %x, want %x", value, filler, token, n, want)
		}
		if got, f, ok := decode(token); !ok || f != filler || !bytes.Equal(got, value) {
			t.Fatalf("decode(%q) = %x %d %v, want %x %d", token, got, f, ok, value, filler)
		}
	}
}

// TestTokensHaveNoPattern: tokens of neighbouring records are unrelated; at each position
// each character of the alphabet is about equally frequent.
func TestTokensHaveNoPattern(t *testing.T) {
	k := loaded(t, newKEKs(t, 1), 1)
	const n = 6200 // a hundred of each character expected at each position
	var counts [tokenLength][62]int
	for i := range n {
		token := k.Token("session", [16]byte{15: byte(i), 14: byte(i >> 8)}, 1)
		for place, c := range []byte(token) {
			counts[place][digitOf(c)]++
		}
	}
	for place := range counts {
		for digit, got := range counts[place] {
			low, high := 50, 160 // five standard deviations
			if place == 0 {
				// 33 * 2^376 of 62^64 values are used: the last digit is rarer at the first position.
				low = 0
			}
			if got < low || got > high {
				t.Errorf("character %c occurs %d times at position %d, want about 100", alphabet[digit], got, place)
			}
		}
	}
	if bound := new(big.Int).Mul(big.NewInt(fillers), new(big.Int).Lsh(big.NewInt(1), 8*(tagLength+bodyLength))); bound.Cmp(new(big.Int).Exp(big.NewInt(62), big.NewInt(tokenLength), nil)) > 0 {
		t.Error("a token would need 65 characters")
	}
}

func FuzzOpenToken(f *testing.F) {
	k := loaded(f, newKEKs(f, 1), 1)
	f.Add(k.Token("session", [16]byte{1}, 1))
	f.Add(strings.Repeat("z", 64))
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		id, generation, ok := k.OpenToken("session", token)
		if ok && k.Token("session", id, generation) != token {
			t.Errorf("%q opens but is not the token of %x %d", token, id, generation)
		}
	})
}

func BenchmarkOpenToken(b *testing.B) {
	k := loaded(b, newKEKs(b, 1), 1)
	var id [16]byte
	_, _ = rand.Read(id[:])
	token := k.Token("session", id, 1)
	for b.Loop() {
		if _, _, ok := k.OpenToken("session", token); !ok {
			b.Fatal("does not open")
		}
	}
}

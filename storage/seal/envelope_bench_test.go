package seal

import "testing"

// The cost for every request, status and opaque access token, with and without a subkey
// for each value.
func BenchmarkSeal(b *testing.B) { eachVersion(b, benchmarkSeal) }
func BenchmarkOpen(b *testing.B) { eachVersion(b, benchmarkOpen) }

const benchRow = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func eachVersion(b *testing.B, run func(*testing.B, *Keyring)) {
	b.Run("AES-256-GCM", func(b *testing.B) { run(b, loadedBefore(b, newKEKs(b, 1))) })
	b.Run("XAES-256-GCM", func(b *testing.B) { run(b, loaded(b, newKEKs(b, 1), 1)) })
}

func benchmarkSeal(b *testing.B, k *Keyring) {
	plain := make([]byte, 400)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Seal("request", benchRow, plain); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkOpen(b *testing.B, k *Keyring) {
	sealed, err := k.Seal("request", benchRow, make([]byte, 400))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Open("request", benchRow, sealed); err != nil {
			b.Fatal(err)
		}
	}
}

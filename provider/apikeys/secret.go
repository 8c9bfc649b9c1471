package apikeys

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strings"

	"sallyport/provider/secret"
)

// A secret consists of prefix, environment, separator, 256 random bits and a checksum, so that
// scanners for leaked secrets recognise it. The other prefixes are those that SDKs of the
// dialects expect.
const adminPrefix = "sallyport_"

// prefixOf returns how secrets of an environment begin.
func prefixOf(prefix, environment string) string {
	return prefix + environment + prefix[len(prefix)-1:]
}

// newSecret returns a new secret of 57 characters or more.
func (a *Keys) newSecret(dialects []string) (string, error) {
	prefix := adminPrefix
	switch {
	case slices.Contains(dialects, DialectStreambird):
		prefix = "sk_" // the SDK for Ruby refuses anything else
	case slices.Contains(dialects, DialectStytch):
		prefix = "secret-"
	}
	random, err := secret.New(a.random)
	if err != nil {
		return "", err
	}
	whole := prefixOf(prefix, a.environment) + random
	return whole + checksum(whole), nil
}

// checksumLength is that of 32 bits in base64url.
const checksumLength = 6

// checksum detects mistyped and truncated secrets. It does not protect them.
func checksum(secret string) string {
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(secret))))
}

// fromOtherEnvironment reports whether a secret has the prefix of the other environment.
func (a *Keys) fromOtherEnvironment(secret string) bool {
	other := "test"
	if a.environment == other {
		other = "live"
	}
	for _, prefix := range []string{adminPrefix, "sk_", "secret-"} {
		if strings.HasPrefix(secret, prefixOf(prefix, other)) {
			return true
		}
	}
	return false
}

// mistyped reports whether a secret with the prefix of Sallyport has a wrong checksum. Other
// products use the other prefixes.
func (a *Keys) mistyped(secret string) bool {
	if !strings.HasPrefix(secret, adminPrefix) {
		return false
	}
	cut := max(0, len(secret)-checksumLength)
	return checksum(secret[:cut]) != secret[cut:]
}

// wellFormed reports whether a secret can be sent in a header.
func wellFormed(secret string) bool {
	return len(secret) >= secretShortest && len(secret) <= secretLongest &&
		bytes.IndexFunc([]byte(secret), func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

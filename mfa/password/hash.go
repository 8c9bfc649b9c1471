package password

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"sallyport/mfa"
	"sallyport/storage"
)

// Limits of the cost of stored hashes, which may be imported.
const (
	phcMemoryMax = 1 << 20 // KiB
	phcTimeMax   = 64
	phcLanesMax  = 64
	// bcryptCostMax takes about a quarter of a second. Until a bcrypt hash is replaced, the
	// time of a comparison reveals that the user exists.
	bcryptCostMax = 12
	saltBytes     = 16
	tagBytes      = 32
)

var errPHC = errors.New("not a password hash we know")

// argon2Hash is an argon2id hash in the PHC string format:
// $argon2id$v=19$m=19456,t=2,p=1,keyid=...$salt$tag. keyid is the ID of the pepper; a hash
// without it has none.
type argon2Hash struct {
	memory, time uint32
	lanes        uint8
	pepper       storage.KeyID
	salt, tag    []byte
}

func (h argon2Hash) String() string {
	b64 := base64.RawStdEncoding.EncodeToString
	key := ""
	if id, ok := storage.Bytes(h.pepper); ok {
		key = ",keyid=" + b64(id[:])
	}
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d%s$%s$%s", h.memory, h.time, h.lanes, key, b64(h.salt), b64(h.tag))
}

func parsePHC(text string) (argon2Hash, error) {
	parts := strings.Split(text, "$")
	if len(text) > 512 || len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v=19" {
		return argon2Hash{}, errPHC
	}
	h, err := parseParameters(parts[3])
	if err != nil {
		return argon2Hash{}, err
	}
	salt, saltErr := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	tag, tagErr := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if saltErr != nil || tagErr != nil || len(salt) < 8 || len(salt) > 64 || len(tag) < 16 || len(tag) > 64 {
		return argon2Hash{}, errPHC
	}
	h.salt, h.tag = salt, tag
	return h, nil
}

// parseParameters reads "m=19456,t=2,p=1" and an optional ",keyid=...".
func parseParameters(text string) (argon2Hash, error) {
	fields := strings.Split(text, ",")
	if len(fields) != 3 && len(fields) != 4 {
		return argon2Hash{}, errPHC
	}
	memory, ok1 := parameter(fields[0], "m=", phcMemoryMax)
	passes, ok2 := parameter(fields[1], "t=", phcTimeMax)
	lanes, ok3 := parameter(fields[2], "p=", min(phcLanesMax, math.MaxUint8))
	if !ok1 || !ok2 || !ok3 || memory < 8*lanes {
		return argon2Hash{}, errPHC
	}
	h := argon2Hash{memory: memory, time: passes, lanes: uint8(lanes)} //nolint:gosec // bounded by parameter
	if len(fields) == 3 {
		return h, nil
	}
	value, found := strings.CutPrefix(fields[3], "keyid=")
	id, err := base64.RawStdEncoding.Strict().DecodeString(value)
	if !found || err != nil || len(id) != 16 {
		return argon2Hash{}, errPHC
	}
	h.pepper = storage.FromBytes[storage.KeyID]([16]byte(id))
	return h, nil
}

// parameter parses a decimal of 1 to most in canonical form.
func parameter(field, name string, most uint64) (uint32, bool) {
	text, found := strings.CutPrefix(field, name)
	n, err := strconv.ParseUint(text, 10, 32)
	if !found || err != nil || n == 0 || n > most || strconv.FormatUint(n, 10) != text {
		return 0, false
	}
	return uint32(n), true //nolint:gosec // parsed as 32 bits
}

// isBcrypt reports whether a hash is bcrypt of an acceptable cost. The first right password
// replaces it by argon2id.
func isBcrypt(text string) bool {
	cost, err := bcrypt.Cost([]byte(text))
	return err == nil && len(text) == 60 && cost <= bcryptCostMax
}

// PepperOf returns the ID of the pepper of a stored hash; "": none.
func (*Method) PepperOf(hash []byte) storage.KeyID {
	h, err := parsePHC(string(hash))
	if err != nil {
		return ""
	}
	return h.pepper
}

// CheckHash returns InvalidRequest for anything but an argon2id PHC string or bcrypt.
func CheckHash(text string) error {
	if _, err := parsePHC(text); err != nil && !isBcrypt(text) {
		return &mfa.Error{Code: mfa.InvalidRequest, Err: err}
	}
	return nil
}

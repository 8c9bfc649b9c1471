package provider

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	"sallyport/input"
	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/storage"
)

// A request that a browser opened travels sealed in the addresses of its pages until a factor is
// proven in it. Most requests get no further, and should cost no write. It opens nothing without
// the cookie of its browser, whose hash is in it. Its first proof stores it, or ends it at once;
// any other operation stores it first.

const (
	sealedPurpose = "sealed request"
	// maxSealed is the length up to which a sealed request fits into every address.
	maxSealed = 4 << 10
	// sealedHead is the length of ID, RequestedAt and ExpiresAt.
	sealedHead = 16 + 8 + 8
)

// maySeal reports whether a new request needs no record yet: only the pages of this server will
// name it, nobody has proven anything, and the grant of its code will show that it has ended.
func maySeal(r *request, stored storage.AuthRequest) bool {
	return len(stored.Browser) > 0 && stored.Subject == "" && !r.client.HeadlessLogin && r.types.IssuesCode() &&
		stored.ExpiresAt.Sub(stored.RequestedAt) <= sealedLife
}

// seal sets Sealed. A request that is too long for it is unchanged.
func (p *Provider) seal(r storage.AuthRequest) (storage.AuthRequest, error) {
	id, ok := storage.Bytes(r.ID)
	params := r.Params.Encode()
	if !ok || len(r.Browser) > 255 || len(params) > maxSealed {
		return r, nil
	}
	plain := make([]byte, 0, sealedHead+1+len(r.Browser)+len(params))
	plain = append(plain, id[:]...)
	plain = binary.BigEndian.AppendUint64(plain, uint64(r.RequestedAt.UnixMicro()))
	plain = binary.BigEndian.AppendUint64(plain, uint64(r.ExpiresAt.UnixMicro()))
	plain = append(append(plain, byte(len(r.Browser))), r.Browser...)
	sealed, err := p.keyring.Seal(sealedPurpose, "", append(plain, params...))
	if err != nil {
		return r, err
	}
	if text := base64.RawURLEncoding.EncodeToString(sealed); len(text) <= maxSealed {
		r.Sealed = storage.RequestID(text)
	}
	return r, nil
}

// unseal returns the request in an address, perhaps expired; false: there is none in it.
func (p *Provider) unseal(address storage.RequestID) (storage.AuthRequest, bool) {
	var r storage.AuthRequest
	if _, plain := storage.Bytes(address); plain || len(address) > maxSealed {
		return r, false
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(string(address))
	if err != nil {
		return r, false
	}
	plain, err := p.keyring.Open(sealedPurpose, "", sealed)
	if err != nil || len(plain) <= sealedHead {
		return r, false
	}
	browser := plain[sealedHead+1:]
	length := int(plain[sealedHead])
	if length > len(browser) {
		return r, false
	}
	params, err := input.Form(string(browser[length:]))
	if err != nil {
		return r, false
	}
	r = storage.AuthRequest{ID: storage.FromBytes[storage.RequestID]([16]byte(plain[:16])), Sealed: address, State: storage.RequestOpen,
		ClientID: storage.ClientID(params.Get("client_id")), Params: params, Browser: browser[:length],
		RequestedAt: sealedTime(plain[16:]), ExpiresAt: sealedTime(plain[24:])}
	r.UpdatedAt = r.RequestedAt
	r.Hash = p.keyring.Hash("request", string(r.ID))
	return r, true
}

func sealedTime(b []byte) time.Time {
	return time.UnixMicro(int64(binary.BigEndian.Uint64(b))).UTC() //nolint:gosec // written by seal
}

// storeSealed stores a sealed request, which its ID then names.
func (p *Provider) storeSealed(ctx context.Context, r storage.AuthRequest, v mfa.Caller) (storage.AuthRequest, error) {
	if err := p.options.Admit.Spend(v, budget.Opens, 1); err != nil {
		return r, err
	}
	r.Sealed = ""
	return r, p.store.OpenRequest(ctx, r)
}

// sealedLife bounds the life of a sealed request.
const sealedLife = time.Hour

// endOf returns the ID of the grant that a request ends in. It follows from the request, so a
// request ends once, whether it is stored or not: grants have a primary key. A request that is
// older than a sealed one can be is stored, and its grant gets a new ID (""), unless its parameters
// name it.
func endOf(r storage.AuthRequest, now time.Time) storage.GrantID {
	if end := r.Params.Get(endsIn); end != "" {
		return storage.GrantID(end)
	}
	if now.Sub(r.RequestedAt) > sealedLife+time.Minute { // a proof may be under way
		return ""
	}
	sum := sha256.Sum256([]byte("grant of request " + string(r.ID)))
	return storage.GrantID(storage.TimeOrdered(r.RequestedAt, bytes.NewReader(sum[:])))
}

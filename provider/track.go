package provider

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"strconv"

	"sallyport/mfa"
	"sallyport/storage"
)

// Track names a login whose first factor is proven, to its owner alone: whoever shows it
// goes on with the login. It is derived, so that asking again gives the same name and
// writes nothing.
func (p *Provider) Track(ctx context.Context, st Step, _ mfa.Caller) (storage.TrackID, error) {
	if !st.Owned || st.Kind == StepIdentify || st.Kind == StepOver || st.Request.Subject == "" {
		return "", &mfa.Error{Code: mfa.InvalidRequest}
	}
	ids := p.tracks(st.Request)
	if len(ids) == 0 {
		return "", &mfa.Error{Code: mfa.InvalidRequest}
	}
	for _, id := range ids {
		if p.keyring.IsHash("track", string(id), st.Request.Track) {
			return id, nil
		}
	}
	now := p.now()
	err := p.change(ctx, storage.RequestChange{ID: st.Request.ID, Version: st.Request.Version, Track: ids[0], TrackUntil: ownedUntil(st.Request, now), Now: now}, nil)
	return ids[0], err
}

// tracks are the names of a login under every living key, the newest first. They end
// with its proofs: after a restart there are others.
func (p *Provider) tracks(r storage.AuthRequest) []storage.TrackID {
	return named[storage.TrackID](p, "track", string(r.ID)+"|"+strconv.FormatInt(r.Restarts, 10))
}

// subjects are the masked subjects of a login, like tracks. That of a login of its own
// leads to it: callers go on naming the request they opened.
func (p *Provider) subjects(r storage.AuthRequest) []string {
	if id, ok := storage.Bytes(r.ID); ok && r.Parent != nil {
		var out []string
		for _, block := range p.maskCiphers() {
			var b [aes.BlockSize]byte
			block.Encrypt(b[:], id[:])
			out = append(out, storage.FromBytes[string](b))
		}
		return out
	}
	return named[string](p, "login subject", string(r.ID)+"|"+strconv.FormatInt(r.Restarts, 10)+"|"+string(r.Subject))
}

// unmask returns the logins a masked subject may be that of.
func (p *Provider) unmask(sub string) []storage.RequestID {
	masked, ok := storage.Bytes(sub)
	if !ok {
		return nil
	}
	var out []storage.RequestID
	for _, block := range p.maskCiphers() {
		var b [aes.BlockSize]byte
		block.Decrypt(b[:], masked[:])
		out = append(out, storage.FromBytes[storage.RequestID](b))
	}
	return out
}

// maskCiphers are permutations of 16 bytes that only the server knows, one a living key.
func (p *Provider) maskCiphers() []cipher.Block {
	var out []cipher.Block
	for _, key := range p.keyring.MACs("subject", "login subject key", "") {
		block, err := aes.NewCipher(key)
		if err != nil {
			panic("provider: " + err.Error()) // of another length than 16, 24 or 32
		}
		out = append(out, block)
	}
	return out
}

func named[T ~string](p *Provider, purpose, value string) []T {
	var out []T
	for _, sum := range p.keyring.MACs("subject", purpose, value) {
		out = append(out, storage.FromBytes[T]([16]byte(sum[:16])))
	}
	return out
}

// Masked is how the user of a login is told to the login's owner; "" for everybody else,
// and while nobody is identified.
func (p *Provider) Masked(st Step) string {
	if ids := p.subjects(st.Request); st.Owned && st.Request.Subject != "" && len(ids) > 0 {
		return ids[0]
	}
	return ""
}

// IsMasked reports whether a masked subject is that of a login.
func (p *Provider) IsMasked(st Step, sub string) bool {
	for _, id := range p.subjects(st.Request) {
		if st.Owned && st.Request.Subject != "" && hmac.Equal([]byte(id), []byte(sub)) {
			return true
		}
	}
	return false
}

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

// Track returns the track of a login after its first factor, to its owner alone: whoever sends
// the track continues the login. It is derived, so further calls return the same one and write
// nothing.
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
	err := p.change(ctx, storage.RequestChange{ID: st.Request.ID, Version: st.Request.Version, Track: ids[0], TrackUntil: trackEnd(st.Request, now), Now: now}, nil)
	return ids[0], err
}

// tracks returns the tracks of a login for every valid key, the newest first. A restart of the
// login changes them.
func (p *Provider) tracks(r storage.AuthRequest) []storage.TrackID {
	return derive[storage.TrackID](p, "track", string(r.ID)+"|"+strconv.FormatInt(r.Restarts, 10))
}

// subjects returns the masked subjects of a login, like tracks. That of a detached login
// contains its ID, because callers continue to send the ID of the request.
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
	return derive[string](p, "login subject", string(r.ID)+"|"+strconv.FormatInt(r.Restarts, 10)+"|"+string(r.Subject))
}

// unmask returns the detached logins that a masked subject may belong to.
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

// maskCiphers returns a permutation of 16 bytes for every valid key.
func (p *Provider) maskCiphers() []cipher.Block {
	var out []cipher.Block
	for _, key := range p.keyring.MACs("subject", "login subject key", "") {
		block, err := aes.NewCipher(key)
		if err != nil {
			panic("provider: " + err.Error()) // the key has another length than 16, 24 or 32
		}
		out = append(out, block)
	}
	return out
}

func derive[T ~string](p *Provider, purpose, value string) []T {
	var out []T
	for _, sum := range p.keyring.MACs("subject", purpose, value) {
		out = append(out, storage.FromBytes[T]([16]byte(sum[:16])))
	}
	return out
}

// Masked returns the masked subject of a login to its owner; "" to other callers, and before a
// user is identified.
func (p *Provider) Masked(st Step) string {
	if ids := p.subjects(st.Request); st.Owned && st.Request.Subject != "" && len(ids) > 0 {
		return ids[0]
	}
	return ""
}

// IsMasked reports whether a masked subject belongs to a login.
func (p *Provider) IsMasked(st Step, sub string) bool {
	for _, id := range p.subjects(st.Request) {
		if st.Owned && st.Request.Subject != "" && hmac.Equal([]byte(id), []byte(sub)) {
			return true
		}
	}
	return false
}

package provider

import (
	"context"
	"crypto/hmac"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// trackTTL is how long a login that has a track may be continued.
const trackTTL = time.Hour

// Track names a login whose first factor is proven, for those who continue it by that
// name: it opens nothing that the request's own ID would not open, but is worthless
// before the first factor. It is derived, so that asking again gives the same name and
// writes nothing.
func (p *Provider) Track(ctx context.Context, st Step, _ mfa.Visit) (storage.TrackID, error) {
	if st.Kind == StepIdentify || st.Kind == StepOver || st.Request.Subject == "" {
		return "", &mfa.Error{Code: mfa.InvalidRequest}
	}
	var ids []storage.TrackID
	for _, sum := range p.keyring.MACs("subject", "track", string(st.Request.ID)) {
		ids = append(ids, storage.FromBytes[storage.TrackID]([16]byte(sum[:16])))
	}
	if len(ids) == 0 {
		return "", &mfa.Error{Code: mfa.InvalidRequest}
	}
	for _, id := range ids {
		for _, sum := range p.keyring.Hashes("track", string(id)) {
			if hmac.Equal(sum, st.Request.Track) {
				return id, nil
			}
		}
	}
	now := p.now()
	until := now.Add(trackTTL)
	if until.Before(st.Request.ExpiresAt) {
		until = st.Request.ExpiresAt
	}
	err := p.change(ctx, storage.RequestChange{ID: st.Request.ID, Version: st.Request.Version, Track: ids[0], TrackUntil: until, Now: now}, nil)
	return ids[0], err
}

// Masked is how the user of a login is told to a login page; "" while nobody is identified.
func (p *Provider) Masked(st Step) string {
	if st.Request.Subject == "" {
		return ""
	}
	return p.keyring.Mask(st.Request.ID, st.Request.Subject)
}

package session

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

const (
	rememberedUse = "remembered"
	// maxRemembered is how many users a browser is remembered for at once.
	maxRemembered = 4
	// rememberedGrace is how long a replaced token still gets the same successor: tabs that sign
	// in at once show the same one.
	rememberedGrace = time.Minute
)

// heldToken is a token of a remembered device in a cookie.
type heldToken struct {
	id         storage.RememberedID
	generation int64
	text       string
}

// heldTokens reads the cookie of remembered devices, newest token first.
func (s *Registry) heldTokens(cookie string) []heldToken {
	var out []heldToken
	for text := range strings.SplitSeq(cookie, ".") {
		id, generation, ok := s.keyring.OpenToken(rememberedUse, text)
		if ok && len(out) < maxRemembered {
			out = append(out, heldToken{storage.FromBytes[storage.RememberedID](id), int64(generation), text})
		}
	}
	return out
}

// Remembered returns the device that the caller's browser is remembered as for a user, with the
// generation of the token it sent; nil: none. A token that was replaced before the grace period
// was copied from the browser, or to it: its device ends, with the next request that is no GET.
func (s *Registry) Remembered(ctx context.Context, v mfa.Caller, user storage.UserID) (*storage.RememberedDevice, error) {
	held := s.heldTokens(v.Remembered)
	if len(held) == 0 || user == "" {
		return nil, nil
	}
	var ids []storage.RememberedID
	for _, h := range held {
		ids = append(ids, h.id)
	}
	now := s.now()
	list, err := s.store.Remembered(ctx, user, ids, now)
	if err != nil {
		return nil, mfa.Wrap("read remembered devices", err)
	}
	for _, d := range list {
		for _, h := range held {
			if h.id != d.ID {
				continue
			}
			if h.generation == d.Generation || h.generation == d.Generation-1 && d.RotatedAt.After(now.Add(-rememberedGrace)) {
				d.Generation = h.generation
				return &d, nil
			}
			if v.Reading {
				return nil, nil
			}
			err := s.endRemembered(ctx, v, storage.Event{UserID: user, Outcome: mfa.OutcomeRefused}, d.ID, mfa.ReasonReplayed)
			if mfa.CodeOf(err) == mfa.NotConfigured {
				err = nil // ended meanwhile
			}
			return nil, err
		}
	}
	return nil, nil
}

// UseRemembered returns what a login writes that a remembered device spared a factor.
func (s *Registry) UseRemembered(d storage.RememberedDevice, now time.Time) *storage.RememberedUse {
	return &storage.RememberedUse{ID: d.ID, User: d.UserID, Generation: d.Generation, Since: now.Add(-rememberedGrace), Now: now}
}

// RememberDevice returns the caller's browser as a device to remember for a user, for some time
// after the proof that will become its Factor. known is the device it is remembered as; nil: none.
// One that it replaces keeps the later end: its user agreed to that.
func (s *Registry) RememberDevice(v mfa.Caller, user storage.UserID, known *storage.RememberedDevice, window time.Duration) storage.RememberedDevice {
	now := s.now()
	d := storage.RememberedDevice{ID: storage.RememberedID(storage.Random128(s.random)), UserID: user, Generation: 1, RotatedAt: now,
		UserAgent: v.Agent(), CreatedAt: now, LastUsedAt: now, ExpiresAt: now.Add(window)}
	if known != nil && known.Generation < math.MaxUint32-2 {
		// Another tab may be replacing the token at this moment, by that of the next generation.
		d.ID, d.Generation = known.ID, known.Generation+2
		if known.ExpiresAt.After(d.ExpiresAt) {
			d.ExpiresAt = known.ExpiresAt
		}
	}
	return d
}

// RememberedCookie returns the cookie with the token of a device in front, for the generation that
// is valid after the write. It drops the oldest of more than four.
func (s *Registry) RememberedCookie(cookie string, id storage.RememberedID, generation int64) string {
	raw, ok := storage.Bytes(id)
	if !ok || generation < 0 || generation > math.MaxUint32 {
		return cookie
	}
	out := []string{s.keyring.Token(rememberedUse, raw, uint32(generation))}
	for _, h := range s.heldTokens(cookie) {
		if h.id != id && len(out) < maxRemembered {
			out = append(out, h.text)
		}
	}
	return strings.Join(out, ".")
}

// RememberedHere reports whether one of a user's devices is the caller's browser.
func (s *Registry) RememberedHere(v mfa.Caller, id storage.RememberedID) bool {
	return slices.ContainsFunc(s.heldTokens(v.Remembered), func(h heldToken) bool { return h.id == id })
}

// RememberedOf returns the remembered devices of a user, newest first.
func (s *Registry) RememberedOf(ctx context.Context, user storage.UserID) ([]storage.RememberedDevice, error) {
	list, err := s.store.RememberedOf(ctx, user, s.now())
	return list, mfa.Wrap("list remembered devices", err)
}

// ForgetDevice ends a remembered device of a user, or all with "". It returns NotConfigured if
// there is none.
func (s *Registry) ForgetDevice(ctx context.Context, v mfa.Caller, about storage.Event, id storage.RememberedID) error {
	return s.endRemembered(ctx, v, about, id, "")
}

func (s *Registry) endRemembered(ctx context.Context, v mfa.Caller, about storage.Event, id storage.RememberedID, reason string) error {
	about.Kind, about.Detail = mfa.EventDeviceForgotten, map[string]string{}
	if id != "" {
		about.Detail["device"] = string(id)
	}
	if reason != "" {
		about.Detail["reason"] = reason
	}
	err := s.store.EndRemembered(ctx, about.UserID, id, []storage.Event{s.journal.Event(v, about)})
	return mfa.Refuse("end remembered device", err, storage.ErrNotFound, mfa.NotConfigured)
}

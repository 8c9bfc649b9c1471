// Package waits lets administrators see the waits that failures have imposed, and end them.
package waits

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/mfa/throttle"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// lately is how far back the audit trail is searched for the networks that a client waits in. It
// is longer than the window of its failures and the wait after it.
const lately = time.Hour

// Store is the part of storage that a Registry uses.
type Store interface {
	Waits(ctx context.Context, keys []storage.ThrottleKey, now time.Time) ([]storage.Refusal, error)
	ResetThrottle(ctx context.Context, keys []storage.ThrottleKey, events []storage.Event) error
}

// Subject is whom waits are of; one member is set, or Client with Network.
type Subject struct {
	User    *storage.Account
	Name    string // canonical
	Network string // as Network returns it
	Client  storage.ClientID
}

// Wait is a running wait; without Until it lasts until it is lifted.
type Wait struct {
	Bucket  string
	Until   time.Time
	Network string // "": the wait is the same everywhere
}

// Registry is the counters of failures as administrators see them.
type Registry struct {
	store   Store
	keyring *seal.Keyring
	journal *audit.Journal
	now     func() time.Time
}

// New returns a Registry.
func New(store Store, keyring *seal.Keyring, journal *audit.Journal, now func() time.Time) *Registry {
	return &Registry{store: store, keyring: keyring, journal: journal, now: now}
}

// Network returns the network that an address, or a network as audit trail and waits name it,
// is counted in; "": it is neither.
func Network(text string) string {
	address, length, isPrefix := strings.Cut(text, "/")
	a, err := netip.ParseAddr(address)
	if err != nil || isPrefix && (length != "64" || a.Unmap().Is4()) {
		return ""
	}
	return mfa.Caller{Address: address}.Network()
}

// List returns the running waits of a subject. A user has those of every name, a client those
// of each network.
func (r *Registry) List(ctx context.Context, s Subject) ([]Wait, error) {
	keys, err := r.keys(ctx, s)
	if err != nil {
		return nil, err
	}
	var out []Wait
	for _, network := range slices.Sorted(maps.Keys(keys)) {
		found, err := r.store.Waits(ctx, keys[network], r.now())
		if err != nil {
			return nil, mfa.Wrap("read waits", err)
		}
		for _, w := range found {
			out = append(out, Wait{Bucket: w.Bucket, Until: w.Until, Network: network})
		}
	}
	return out, nil
}

// Lift ends the waits of a subject and forgets the failures behind them. It does not enable a
// factor that failures have disabled.
func (r *Registry) Lift(ctx context.Context, v mfa.Caller, s Subject) error {
	keys, err := r.keys(ctx, s)
	if err != nil {
		return err
	}
	var all []storage.ThrottleKey
	for _, some := range keys {
		all = append(all, some...)
	}
	e := storage.Event{Kind: mfa.EventWaitsLifted, ClientID: s.Client, Detail: map[string]string{}}
	switch {
	case s.User != nil:
		e.UserID, e.Detail["of"] = s.User.User.ID, "user"
	case s.Name != "":
		e.Detail["of"] = "name" // which one is not logged: it may be a secret in the wrong field
	case s.Client != "":
		e.Detail["of"] = "client"
	default:
		e.Detail["of"] = "address"
	}
	if s.Network != "" {
		e.Detail["network"] = s.Network
	}
	return mfa.Wrap("lift waits", r.store.ResetThrottle(ctx, all, []storage.Event{r.journal.Event(v, e)}))
}

// keys returns the counters of a subject by network; "": those that count everywhere.
func (r *Registry) keys(ctx context.Context, s Subject) (map[string][]storage.ThrottleKey, error) {
	switch {
	case s.User != nil:
		return map[string][]storage.ThrottleKey{"": throttle.UserKeys(r.keyring, *s.User)}, nil
	case s.Name != "":
		return map[string][]storage.ThrottleKey{"": throttle.NameKeys(r.keyring, s.Name)}, nil
	case s.Client == "":
		return map[string][]storage.ThrottleKey{s.Network: {{Bucket: throttle.Address, Subject: []byte(s.Network)}}}, nil
	case s.Network != "":
		return map[string][]storage.ThrottleKey{s.Network: throttle.ClientKeys(r.keyring, s.Client, s.Network)}, nil
	}
	networks, err := r.networksOf(ctx, s.Client)
	out := map[string][]storage.ThrottleKey{}
	for _, network := range networks {
		out[network] = throttle.ClientKeys(r.keyring, s.Client, network)
	}
	return out, err
}

// networksOf returns the networks in which a client failed lately. Its counters are under hashes
// of client and network, so the audit trail says which there are.
func (r *Registry) networksOf(ctx context.Context, client storage.ClientID) ([]string, error) {
	if err := r.journal.Flush(ctx); err != nil {
		return nil, mfa.Wrap("write events", err)
	}
	var out []string
	f := storage.EventFilter{ClientID: client, Kind: mfa.EventClientFailed, From: r.now().Add(-lately), Limit: 1000}
	list, err := r.journal.List(ctx, f)
	for _, e := range list {
		if network := (mfa.Caller{Address: e.Address}).Network(); network != "" && !slices.Contains(out, network) {
			out = append(out, network)
		}
	}
	return out, err
}

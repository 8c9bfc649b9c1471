package relational

import (
	"cmp"
	"context"
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"sallyport/storage"
)

// Purposes of keyed hashes and of sealed columns.
const (
	requestLabel  = "request"
	trackLabel    = "track"
	exchangeLabel = "exchange"
	statusLabel   = "status"
	tokenLabel    = "jti"
	outboxLabel   = "outbox"
)

// maxFactors bounds the factors of a request, in bytes.
const maxFactors = 16 << 10

const requestColumns = `hash, client_id, params, browser, state, version, subject, factors, session_id, consent,
	show_recovery, track, track_request, initiations, requested_at, expires_at, updated_at, parent, opener, restarts, names`

// requestHead has requestColumns of "h", with UUIDs of PostgreSQL cast to text.
const requestHead = `h.hash, h.client_id, h.params, h.browser, h.state, h.version, CAST(h.subject AS text), h.factors,
	CAST(h.session_id AS text), h.consent, CASE WHEN h.show_recovery THEN 1 ELSE 0 END, h.track, h.track_request, h.initiations,
	h.requested_at, h.expires_at, h.updated_at, h.parent, h.opener, h.restarts, h.names`

// OpenRequest implements storage.AuthRequests.
func (e *Engine) OpenRequest(ctx context.Context, r storage.AuthRequest) error {
	return e.burst(ctx, "open request", func(q querier) error { return q.putRequest(r, nil, nil) })
}

// putRequest stores a request unless it is stored, and then returns otherwise; trackRequest is
// its sealed ID, stored beside its track.
func (q querier) putRequest(r storage.AuthRequest, trackRequest []byte, otherwise error) error {
	hash := q.e.keyring.Hash(requestLabel, string(r.ID))
	// The parameters may hold an id_token_hint, so they are sealed like a token.
	params, err := json.Marshal(r.Params)
	if err != nil {
		return fmt.Errorf("write parameters: %w", err)
	}
	if params, err = q.e.keyring.Seal(requestLabel, hex.EncodeToString(hash), params); err != nil {
		return err
	}
	if r.State == "" {
		r.State = storage.RequestOpen
	}
	in := insertInto("auth_requests (" + requestColumns + ")")
	in.add(blob(hash), clean(r.ClientID), blob(params), blob(r.Browser), string(r.State), r.Version, ref(r.Subject),
		factorLines(r.Factors), ref(r.Session), list(r.Consent), r.ShowRecovery, blob(r.Track), blob(trackRequest), int64(r.Initiations),
		micro(r.RequestedAt), micro(r.ExpiresAt), micro(r.UpdatedAt), blob(r.Parent), blob(r.Opener), r.Restarts, nameList(r.Names))
	return q.write(write{text: in.text(q, "ON CONFLICT (hash) DO NOTHING"), args: in.args, otherwise: otherwise})
}

// putLogin creates a detached login. Its request lives as long as the login and, without a
// browser, now belongs to the subject.
func (q querier) putLogin(n storage.NewLogin, now time.Time) error {
	r := n.Login
	err := q.spend(`UPDATE auth_requests SET updated_at = ?, expires_at = CASE WHEN expires_at < ? THEN ? ELSE expires_at END,
			subject = CASE WHEN browser IS NULL THEN ? ELSE subject END
		WHERE hash = ? AND parent IS NULL AND state = 'open' AND expires_at > ? AND (subject IS NULL OR subject = ?)`,
		micro(now), micro(r.ExpiresAt), micro(r.ExpiresAt), ref(r.Subject), blob(r.Parent), micro(now), ref(r.Subject))
	if err != nil {
		return err
	}
	r.Track = q.e.keyring.Hash(trackLabel, string(n.Track))
	own, err := q.e.keyring.Seal(trackLabel, hex.EncodeToString(r.Track), []byte(r.ID))
	if err != nil {
		return err
	}
	return q.putRequest(r, own, storage.ErrConflict)
}

// Request implements storage.AuthRequests.
func (e *Engine) Request(ctx context.Context, id storage.RequestID, identifier string, now time.Time) (storage.AuthRequest, *storage.Account, error) {
	found, err := e.Login(ctx, storage.Lookup{ID: id, Identifier: identifier, Now: now})
	if err != nil {
		return storage.AuthRequest{}, nil, err
	}
	if found.Request == nil {
		return storage.AuthRequest{}, nil, storage.ErrNotFound
	}
	return *found.Request, found.Account, nil
}

// Login implements storage.AuthRequests.
func (e *Engine) Login(ctx context.Context, l storage.Lookup) (storage.Found, error) {
	const query = `WITH h AS (SELECT ` + requestColumns + ` FROM auth_requests WHERE hash IN ? AND expires_at > ?),
		one AS (SELECT (SELECT CASE WHEN until > ? THEN 2 WHEN failures > 0 THEN 1 ELSE 0 END FROM address_throttles WHERE address = ?) AS address,
			(SELECT 1 FROM grants WHERE id = ?) AS ended),
		who (id) AS (SELECT COALESCE((SELECT subject FROM h), (SELECT user_id FROM identifiers WHERE value = ? AND ` + unexpired + `),
			(SELECT user_id FROM authenticators WHERE credential = ?)) FROM one), ` + accountParts + `
		SELECT one.address, one.ended, ` + requestHead + `, ` + partColumns + ` FROM one LEFT JOIN h ON TRUE LEFT JOIN parts ON TRUE`
	if !plain(l.Identifier) {
		l.Identifier = ""
	}
	var row requestRow
	var address, ended number
	var out storage.Found
	err := e.quick(ctx, "read request", func(q querier) error {
		args := []any{e.keyring.Hashes(requestLabel, string(l.ID)), micro(l.Now), micro(l.Now), clean(l.Address), ref(l.End), l.Identifier, micro(l.Now), blob(l.Credential)}
		var err error
		out.Account, err = q.withAccount(query, args, append([]any{&address, &ended}, row.dest()...)...)
		return err
	})
	if err != nil {
		return storage.Found{}, err
	}
	out.Ended, out.Address = ended != 0, storage.AddressState{Waits: address == 2, Failures: address != 0}
	if row.hash == nil {
		return out, nil
	}
	r, err := row.record(e)
	r.ID = l.ID
	out.Request = &r
	return out, err
}

// RequestByTrack implements storage.AuthRequests.
func (e *Engine) RequestByTrack(ctx context.Context, id storage.TrackID, now time.Time) (storage.AuthRequest, *storage.Account, error) {
	const query = `WITH h AS (SELECT ` + requestColumns + ` FROM auth_requests WHERE track IN ? AND expires_at > ?),
		who (id) AS (SELECT subject FROM h), ` + accountParts + `
		SELECT ` + requestHead + `, ` + partColumns + ` FROM h LEFT JOIN parts ON TRUE`
	var row requestRow
	var account *storage.Account
	err := e.quick(ctx, "read request", func(q querier) error {
		var err error
		account, err = q.withAccount(query, []any{e.keyring.Hashes(trackLabel, string(id)), micro(now)}, row.dest()...)
		return err
	})
	if err != nil {
		return storage.AuthRequest{}, nil, err
	}
	r, err := row.record(e)
	return r, account, err
}

type requestRow struct {
	hash, params, browser, track, trackRequest []byte
	parent, opener                             []byte
	client, state, subject, factors            text
	session, consent, names                    text
	version, initiations, restarts             number
	showRecovery                               number
	requested, expires, updated                number
}

func (r *requestRow) dest() []any {
	return []any{&r.hash, &r.client, &r.params, &r.browser, &r.state, &r.version, &r.subject, &r.factors, &r.session, &r.consent,
		&r.showRecovery, &r.track, &r.trackRequest, &r.initiations, &r.requested, &r.expires, &r.updated, &r.parent, &r.opener, &r.restarts, &r.names}
}

func (r *requestRow) record(e *Engine) (storage.AuthRequest, error) {
	out := storage.AuthRequest{
		ClientID: storage.ClientID(r.client), Browser: r.browser, State: storage.RequestState(r.state), Version: int64(r.version),
		Subject: storage.UserID(r.subject), Session: storage.SessionID(r.session), ShowRecovery: r.showRecovery == 1, Track: r.track,
		Initiations: int(r.initiations), Parent: r.parent, Opener: r.opener, Restarts: int64(r.restarts), Hash: r.hash, RequestedAt: r.requested.time(), ExpiresAt: r.expires.time(), UpdatedAt: r.updated.time(),
	}
	params, err := e.keyring.Open(requestLabel, hex.EncodeToString(r.hash), r.params)
	if err != nil {
		return out, err
	}
	var values url.Values
	if err := decode("params", text(params), &values); err != nil {
		return out, err
	}
	out.Params = values
	if out.Factors, err = factorsOf(r.factors); err != nil {
		return out, err
	}
	if r.track != nil {
		id, err := e.keyring.Open(trackLabel, hex.EncodeToString(r.track), r.trackRequest)
		if err != nil {
			return out, err
		}
		out.ID = storage.RequestID(id)
	}
	if out.Names, err = namesOf(r.names); err != nil {
		return out, err
	}
	return out, decode("consent", r.consent, &out.Consent)
}

// nameLength is the length of a name in the list of a request: 16 bytes in hex and a comma.
const nameLength = 33

func nameList(names [][]byte) string {
	var b strings.Builder
	for _, name := range names {
		b.WriteString(hex.EncodeToString(name))
		b.WriteByte(',')
	}
	return b.String()
}

func namesOf(list text) ([][]byte, error) {
	var out [][]byte
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), ","), ",") {
		b, err := hex.DecodeString(name)
		if err != nil {
			return nil, fmt.Errorf("names: %w", err)
		}
		if len(b) > 0 {
			out = append(out, b)
		}
	}
	return out, nil
}

// addName adds a name to the list of a request unless it is there; nameFits is its condition.
const (
	addName  = "names = CASE WHEN replace(names, ?, '') <> names THEN names ELSE names || ? END"
	nameFits = "(replace(names, ?, '') <> names OR length(names) < ?)"
)

// RememberName implements storage.AuthRequests.
func (e *Engine) RememberName(ctx context.Context, id storage.RequestID, name []byte, most int, now time.Time) error {
	one := nameList([][]byte{name})
	return e.burst(ctx, "remember name", func(q querier) error {
		return q.spend("UPDATE auth_requests SET updated_at = ?, "+addName+" WHERE hash IN ? AND state = 'open' AND expires_at > ? AND "+nameFits,
			micro(now), one, one, e.keyring.Hashes(requestLabel, string(id)), micro(now), one, int64(nameLength*most))
	})
}

// factorLines are factors, one per line, so that a proof is added by appending.
type factorLines []storage.Factor

// Value implements driver.Valuer.
func (fs factorLines) Value() (driver.Value, error) {
	var b strings.Builder
	lines := json.NewEncoder(&b)
	for _, f := range fs {
		f.At = at(micro(f.At))
		if err := lines.Encode(f); err != nil {
			return nil, fmt.Errorf("write factor: %w", err)
		}
	}
	return b.String(), nil
}

// factorsOf parses the lines; a later proof of an authenticator replaces an earlier one.
func factorsOf(lines text) ([]storage.Factor, error) {
	var out []storage.Factor
	for line := range strings.Lines(string(lines)) {
		var f storage.Factor
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			return nil, err
		}
		out = slices.DeleteFunc(out, func(o storage.Factor) bool {
			return o.Method == f.Method && o.Authenticator == f.Authenticator
		})
		out = append(out, f)
	}
	return out, nil
}

// list encodes a list; nil is different from empty.
func list(values []string) any {
	if values == nil {
		return ""
	}
	return encode(values)
}

// BindRequest implements storage.AuthRequests.
func (e *Engine) BindRequest(ctx context.Context, id storage.RequestID, version int64, browser []byte, now time.Time) error {
	return e.burst(ctx, "bind request", func(q querier) error {
		return q.spend(`UPDATE auth_requests SET browser = ?, version = version + 1, updated_at = ?
			WHERE hash IN ? AND browser IS NULL AND state = 'open' AND version = ? AND expires_at > ?
				AND (subject IS NULL OR parent IS NOT NULL)`,
			blob(browser), micro(now), e.keyring.Hashes(requestLabel, string(id)), version, micro(now))
	})
}

// ChangeRequest implements storage.AuthRequests.
func (e *Engine) ChangeRequest(ctx context.Context, c storage.RequestChange, events []storage.Event) error {
	return e.burst(ctx, "change request", func(q querier) error {
		if err := q.changeRequest(c); err != nil {
			return err
		}
		return q.putEvents(events)
	})
}

// changeRequest is one compare-and-set on the version.
func (q querier) changeRequest(c storage.RequestChange) error {
	if c.Open != nil {
		return q.openChanged(c)
	}
	var set assignments
	set.add("version = version + 1")
	set.add("updated_at = ?", micro(c.Now))
	if c.Restart {
		set.add("session_id = NULL, restarts = restarts + 1")
		set.add("show_recovery = ?", c.ShowRecovery != nil && *c.ShowRecovery)
	} else if c.ShowRecovery != nil {
		set.add("show_recovery = ?", *c.ShowRecovery)
	}
	if c.Restart || c.Subject != "" {
		// Initiations before the first factor do not count against the owner.
		set.add("subject = ?, initiations = CASE WHEN subject IS NULL THEN 0 ELSE initiations END", ref(c.Subject))
	}
	switch {
	case c.Restart && c.Factor != nil:
		set.add("factors = ?", factorLines([]storage.Factor{*c.Factor}))
	case c.Restart:
		set.add("factors = ''")
	case c.Factor != nil:
		set.add("factors = factors || ?", factorLines([]storage.Factor{*c.Factor}))
	}
	if c.Restart || c.Consent != nil {
		set.add("consent = ?", list(c.Consent))
	}
	if err := q.track(c, &set); err != nil {
		return err
	}
	if c.State != "" {
		set.add("state = ?", string(c.State))
	}
	where := " WHERE hash IN ? AND state = 'open' AND version = ? AND expires_at > ?"
	args := append(set.args, q.e.keyring.Hashes(requestLabel, string(c.ID)), c.Version, micro(c.Now))
	if c.Factor != nil {
		where += " AND length(factors) < ?"
		args = append(args, maxFactors)
	}
	if c.MaxInitiations > 0 {
		where += " AND initiations < ?"
		args = append(args, int64(c.MaxInitiations))
	}
	if c.Subject != "" {
		if ref(c.Subject) == nil {
			return storage.ErrConflict
		}
		if !c.Restart {
			where += " AND (subject IS NULL OR subject = ?)"
			args = append(args, ref(c.Subject))
		}
	}
	if err := q.spend("UPDATE auth_requests SET "+strings.Join(set.parts, ", ")+where, args...); err != nil || c.Parent == nil {
		return err
	}
	if c.Free {
		return q.send("UPDATE auth_requests SET subject = NULL, updated_at = ? WHERE hash = ? AND browser IS NULL AND state = 'open'",
			micro(c.Now), blob(c.Parent))
	}
	return q.send("UPDATE auth_requests SET state = ?, version = version + 1, updated_at = ? WHERE hash = ? AND state = 'open'",
		string(c.State), micro(c.Now), blob(c.Parent))
}

// openChanged stores a sealed request with its change: a first factor, or its end.
func (q querier) openChanged(c storage.RequestChange) error {
	r := *c.Open
	switch {
	case c.Factor != nil && c.Subject != "":
		r = r.Proven(c.Subject, *c.Factor, c.Now)
	default:
		r.Version, r.UpdatedAt = r.Version+1, c.Now
	}
	r.State = cmp.Or(c.State, r.State)
	if !r.ExpiresAt.After(c.Now) {
		return storage.ErrConflict
	}
	return q.putRequest(r, nil, storage.ErrConflict)
}

// track stores the hash of a TrackID and, sealed, its RequestID.
func (q querier) track(c storage.RequestChange, set *assignments) error {
	if c.Track == "" {
		if c.Restart {
			set.add("track = NULL, track_request = NULL")
		}
		return nil
	}
	hash := q.e.keyring.Hash(trackLabel, string(c.Track))
	id, err := q.e.keyring.Seal(trackLabel, hex.EncodeToString(hash), []byte(c.ID))
	if err != nil {
		return err
	}
	set.add("track = ?, track_request = ?, expires_at = ?", blob(hash), blob(id), micro(c.TrackUntil))
	return nil
}

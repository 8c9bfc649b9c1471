package relational

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"sallyport/storage"
	"sallyport/storage/seal"
)

// accountParts reads the account of "who (id)" in one query: a row for the user, for each
// identifier and for each authenticator, distinguished by "part". The branch with every type
// comes first, because PostgreSQL takes the types from there.
const accountParts = `parts AS (
	SELECT 3 AS part, CAST(who.id AS text) AS owner, CAST(a.id AS text) AS id, a.method AS t1, a.name AS t2, a.origin AS t3, a.state AS t4, a.data AS t5, a.failing AS t6,
		a.secret AS secret, a.counter AS n1, a.last_used_at AS n2, a.expires_at AS n3, a.created_at AS created_at, a.updated_at AS updated_at
	FROM who JOIN authenticators a ON a.user_id = who.id
	UNION ALL
	SELECT 2, CAST(who.id AS text), CAST(i.id AS text), i.kind, i.value, i.shown, '', '', '', NULL, i.verified_at, 0, i.expires_at, i.created_at, i.updated_at
	FROM who JOIN identifiers i ON i.user_id = who.id
	UNION ALL
	SELECT 1, CAST(who.id AS text), CAST(u.id AS text), u.status, u.profile, u.metadata, u.roles, u.terms, '', NULL,
		CASE WHEN u.mfa_enabled THEN 1 ELSE 0 END, u.passkey_declined_at, u.devices_ended, u.created_at, u.updated_at
	FROM who JOIN users u ON u.id = who.id
)`

const partColumns = `parts.part, parts.id, parts.t1, parts.t2, parts.t3, parts.t4, parts.t5, parts.t6, parts.secret,
	parts.n1, parts.n2, parts.n3, parts.created_at, parts.updated_at`

// Parts of an account.
const (
	partUser           = 1
	partIdentifier     = 2
	partAuthenticator  = 3
	authenticatorLabel = "authenticator:" // seal purpose, followed by the method
)

// partRow is a row of accountParts.
type partRow struct {
	part            number
	id              text
	t1, t2, t3      text
	t4, t5, t6      text
	secret          []byte
	n1, n2, n3      number
	created, edited number
}

// order is that of an account: the user first, then the oldest.
func (r partRow) order(o partRow) int {
	return cmp.Or(cmp.Compare(r.part, o.part), cmp.Compare(r.created, o.created), cmp.Compare(r.id, o.id))
}

// accountRows builds an account from the rows of accountParts.
type accountRows struct {
	partRow
	e       *Engine
	account storage.Account
}

func (a *accountRows) dest() []any {
	return []any{&a.part, &a.id, &a.t1, &a.t2, &a.t3, &a.t4, &a.t5, &a.t6, &a.secret, &a.n1, &a.n2, &a.n3, &a.created, &a.edited}
}

// add adds the row just scanned.
func (a *accountRows) add() error {
	user := a.account.User.ID
	switch a.part {
	case partUser:
		u := storage.User{
			ID: storage.UserID(a.id), Status: storage.UserStatus(a.t1), MFAEnabled: a.n1 == 1,
			PasskeyDeclinedAt: a.n2.time(), DevicesEnded: int64(a.n3), Metadata: raw(a.t3), CreatedAt: a.created.time(), UpdatedAt: a.edited.time(),
		}
		if err := decode("roles", a.t4, &u.Roles); err != nil {
			return err
		}
		if err := decode("terms", a.t5, &u.Terms); err != nil {
			return err
		}
		err := decode("profile", a.t2, &u.Profile)
		a.account.User = u
		return err
	case partIdentifier:
		i := storage.Identifier{
			ID: storage.IdentifierID(a.id), UserID: user, Kind: storage.IdentifierKind(a.t1), Value: string(a.t2), Shown: string(a.t3),
			VerifiedAt: a.n1.time(), ExpiresAt: a.n3.time(), CreatedAt: a.created.time(), UpdatedAt: a.edited.time(),
		}
		list := &a.account.Identifiers
		if i.Kind == storage.Retired {
			list = &a.account.Retired
		}
		*list = append(*list, i)
	case partAuthenticator:
		x := storage.Authenticator{
			ID: storage.AuthenticatorID(a.id), UserID: user, Method: string(a.t1), Name: string(a.t2), Origin: string(a.t3),
			State: storage.AuthenticatorState(a.t4), Data: raw(a.t5), Counter: int64(a.n1), CreatedAt: a.created.time(),
			UpdatedAt: a.edited.time(), LastUsedAt: a.n2.time(), ExpiresAt: a.n3.time(), Failing: bucketsOf(a.t6),
		}
		if err := a.e.openSecret(&x, a.secret); err != nil {
			return err
		}
		a.account.Authenticators = append(a.account.Authenticators, x)
	}
	return nil
}

// found returns the account, or nil if there was no user.
func (a *accountRows) found() *storage.Account {
	if a.account.User.ID == "" {
		return nil
	}
	return &a.account
}

// openSecret opens an authenticator's secret. If it does not open, it was changed or moved
// here from another row: the authenticator is broken, and the others keep working.
func (e *Engine) openSecret(a *storage.Authenticator, sealed []byte) error {
	plain, err := e.keyring.Open(authenticatorLabel+a.Method, secretRow(a.UserID, a.ID), sealed)
	if errors.Is(err, seal.ErrTampered) {
		e.log.Error("sealed secret does not open", "user", string(a.UserID), "authenticator", string(a.ID))
		a.Broken = true
		return nil
	}
	a.Secret = plain
	return err
}

func (e *Engine) sealSecret(a storage.Authenticator) ([]byte, error) {
	return e.keyring.Seal(authenticatorLabel+a.Method, secretRow(a.UserID, a.ID), a.Secret)
}

func secretRow(user storage.UserID, id storage.AuthenticatorID) string {
	return string(user) + "/" + string(id)
}

// withAccount runs a query whose columns are those of head followed by partColumns. The
// head repeats in every row and is scanned once. The rows are sorted here: to prepare a sort of a
// few rows takes the database longer than the sort.
func (q querier) withAccount(query string, args []any, head ...any) (*storage.Account, error) {
	a := accountRows{e: q.e}
	dest := append(head, a.dest()...)
	var parts []partRow
	err := q.each(query, args, func(rows scanner) error {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		if len(parts) == 0 {
			q.ignore(dest[:len(head)])
		}
		parts = append(parts, a.partRow)
		return nil
	})
	if err == nil && len(parts) == 0 {
		err = storage.ErrNotFound
	}
	slices.SortFunc(parts, partRow.order)
	for _, row := range parts {
		a.partRow = row
		if err == nil {
			err = a.add()
		}
	}
	return a.found(), err
}

// Account implements storage.Users.
func (e *Engine) Account(ctx context.Context, id storage.UserID) (storage.Account, error) {
	return e.account(ctx, "SELECT u.id FROM users u WHERE u.id = ?", ref(id))
}

// AccountByIdentifier implements storage.Users.
func (e *Engine) AccountByIdentifier(ctx context.Context, value string, now time.Time) (storage.Account, error) {
	if !plain(value) {
		return storage.Account{}, storage.ErrNotFound
	}
	return e.account(ctx, "SELECT user_id FROM identifiers WHERE value = ? AND "+unexpired, value, micro(now))
}

// AccountByRetired implements storage.Users.
func (e *Engine) AccountByRetired(ctx context.Context, value string, now time.Time) (storage.Account, error) {
	if !plain(value) {
		return storage.Account{}, storage.ErrNotFound
	}
	return e.account(ctx, "SELECT user_id FROM identifiers WHERE value = ? AND kind = 'retired' AND expires_at > ?", value, micro(now))
}

// AccountByIdentifierID implements storage.Users.
func (e *Engine) AccountByIdentifierID(ctx context.Context, id storage.IdentifierID, now time.Time) (storage.Account, error) {
	return e.account(ctx, "SELECT user_id FROM identifiers WHERE id = ? AND "+unexpired, ref(id), micro(now))
}

// AccountByAuthenticator implements storage.Users.
func (e *Engine) AccountByAuthenticator(ctx context.Context, ids ...storage.AuthenticatorID) (storage.Account, error) {
	list := []any{}
	for _, id := range ids {
		list = append(list, ref(id))
	}
	if len(list) == 0 {
		return storage.Account{}, storage.ErrNotFound
	}
	return e.account(ctx, "SELECT a.user_id FROM authenticators a WHERE a.id IN ? LIMIT 1", list)
}

// AccountByCredential implements storage.Users.
func (e *Engine) AccountByCredential(ctx context.Context, credential []byte) (storage.Account, error) {
	return e.account(ctx, "SELECT a.user_id FROM authenticators a WHERE a.credential = ?", blob(credential))
}

func (e *Engine) account(ctx context.Context, who string, args ...any) (storage.Account, error) {
	query := strings.Join([]string{"WITH who (id) AS (", who, "), ", accountParts,
		" SELECT ", partColumns, " FROM parts"}, "")
	var out storage.Account
	err := e.quick(ctx, "read account", func(q querier) error {
		a, err := q.withAccount(query, args)
		if err == nil {
			out = *a
		}
		return err
	})
	return out, err
}

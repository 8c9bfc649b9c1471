package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sallyport/config"
	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// keys is everything an operator does to the server's own keys. All of it works
// directly on the database, while servers serve.
func keys(ctx context.Context, p *program, args []string) error {
	return p.group(ctx, "keys", "the server's own keys; all of it works while servers serve", []command{
		{"list", "--config FILE", "which keys there are, since when and until when", keysList},
		{"rotate", "--config FILE --use USE", "make the next key of a use", keysRotate},
		{"retire", "--config FILE ID", "let a key go that nothing hangs on, or a stolen one at once", keysRetire},
		{"reseal", "--config FILE", "seal everything under the newest keys", keysReseal},
	}, args)
}

// openKeys opens the database and the keys in it, without building the rooms above.
func (p *program) openKeys(ctx context.Context, c config.Config) (*house, error) {
	dsn, err := c.ReadDSN()
	if err != nil {
		return nil, err
	}
	keks, err := seal.ReadKeyFile(c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("key_file: %w", err)
	}
	all := parts{config: c, dsn: dsn, keks: keks, log: newLog(p.err, c.LogLevel), now: p.now, random: p.random}
	engine, err := openEngine(ctx, all)
	if err != nil {
		return nil, err
	}
	h, err := footing(ctx, all, engine.Engine, engine.keyring)
	if err == nil {
		err = h.reloadKeys(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	return h, nil
}

func (h *house) reloadKeys(ctx context.Context) error {
	rows, err := h.store.Keys(ctx, h.now())
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	if len(rows) == 0 {
		return errors.New("there are no keys yet; the first start of a server makes them")
	}
	if err := h.keyring.Load(rows, h.now()); err != nil {
		return fmt.Errorf("open keys: %w", err)
	}
	return nil
}

// changes is how often a change is planned anew because somebody else was first.
const changes = 5

// changeKeys stores what plan makes of the keys there are, in one transaction. Whoever
// changes keys at the same time makes it plan again, on what is there then.
func (h *house) changeKeys(ctx context.Context, plan func(rows []storage.Key, now time.Time) (storage.KeyChange, error)) (storage.KeyChange, error) {
	for range changes {
		versions, err := h.store.Versions(ctx)
		if err != nil {
			return storage.KeyChange{}, fmt.Errorf("read version of keys: %w", err)
		}
		now := h.now()
		rows, err := h.store.Keys(ctx, now)
		if err != nil {
			return storage.KeyChange{}, fmt.Errorf("read keys: %w", err)
		}
		c, err := plan(rows, now)
		if err != nil || len(c.Add)+len(c.Change) == 0 {
			return c, err
		}
		c.Version = versions["keys"]
		err = h.store.ChangeKeys(ctx, c)
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, storage.ErrConflict) {
			return c, fmt.Errorf("store keys: %w", err)
		}
	}
	return storage.KeyChange{}, errors.New("somebody else changes keys all the time; try again")
}

// told is the audit event of one key.
func (h *house) told(kind, actor string, k storage.Key, more ...string) storage.Event {
	detail := map[string]string{"key": string(k.ID), "use": k.Use}
	if k.Alg != "" {
		detail["alg"] = k.Alg
	}
	for i := 0; i+1 < len(more); i += 2 {
		detail[more[i]] = more[i+1]
	}
	return h.journal.Event(mfa.Caller{}, storage.Event{Kind: kind, Actor: actor, Detail: detail})
}

func keysList(ctx context.Context, p *program, args []string) error {
	f := p.flags("keys list", "the server's own keys; nothing secret is shown")
	all := f.Bool("all", false, "expired keys too")
	c, err := p.settings(f, args, 0)
	if err != nil {
		return err
	}
	dsn, err := c.ReadDSN()
	if err != nil {
		return err
	}
	// The list needs no key file: it is there when something is wrong with that.
	engine, err := openEngine(ctx, parts{config: c, dsn: dsn, log: newLog(p.err, c.LogLevel), now: p.now, random: p.random})
	if err != nil {
		return err
	}
	now, from := p.now(), p.now()
	if *all {
		from = time.Time{}
	}
	err = schema(ctx, engine.Engine, false)
	var rows []storage.Key
	if err == nil {
		rows, err = engine.Keys(ctx, from)
	}
	if err != nil {
		return errors.Join(err, engine.Close())
	}
	p.printKeys(rows, now)
	return engine.Close()
}

func (p *program) printKeys(rows []storage.Key, now time.Time) {
	slices.SortFunc(rows, func(a, b storage.Key) int {
		return cmp.Or(strings.Compare(a.Use, b.Use), strings.Compare(a.Alg, b.Alg), b.ActiveAt.Compare(a.ActiveAt), strings.Compare(string(b.ID), string(a.ID)))
	})
	t := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tUSE\tALG\tKEK\tSTATE\tAGE\tCREATED\tACTIVE\tRETIRED\tEXPIRES")
	for _, k := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Use, cmp.Or(k.Alg, "-"), k.KEK, keyState(k, now),
			age(now.Sub(k.ActiveAt)), stamp(k.CreatedAt), stamp(k.ActiveAt), stamp(k.RetiredAt), stamp(k.ExpiresAt))
	}
	_ = t.Flush() // a reader that went away is no fault
}

func keyState(k storage.Key, now time.Time) string {
	switch {
	case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
		return "expired"
	case !k.RetiredAt.IsZero() && !now.Before(k.RetiredAt):
		return "retired"
	case now.Before(k.ActiveAt):
		return "waiting"
	}
	return "in use"
}

// stamp writes a moment as all lists of ours do.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// age is how long a key has been in use, in whole days or hours.
func age(d time.Duration) string {
	switch {
	case d < 0:
		return "-"
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	return d.Truncate(time.Second).String()
}

package provider

import (
	"context"
	"fmt"
	"time"
)

// Run keeps what is held in memory fresh until ctx ends: every second it asks storage
// for the version of clients and keys, so several servers on one database agree within
// two seconds.
func (p *Provider) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := p.Poll(ctx); err != nil && ctx.Err() == nil {
				// What is in memory stays in use: known clients and published keys outlive the database.
				p.log.ErrorContext(ctx, "versions not read", "error", err)
			}
		}
	}
}

// Poll is one round of Run.
func (p *Provider) Poll(ctx context.Context) error {
	p.polling.Lock()
	defer p.polling.Unlock()
	versions, err := p.store.Versions(ctx)
	if err != nil {
		return fmt.Errorf("read versions: %w", err)
	}
	if p.versions == nil || versions["clients"] != p.versions["clients"] {
		p.clients.Drop()
	}
	// A key becomes active, retires or goes at its own time, without anybody touching its row.
	change := p.keyring.NextChange()
	due := !change.IsZero() && !p.now().Before(change)
	if p.versions == nil || versions["keys"] != p.versions["keys"] || due {
		if err := p.loadKeys(ctx); err != nil {
			return err
		}
	}
	p.versions = versions
	return nil
}

func (p *Provider) loadKeys(ctx context.Context) error {
	now := p.now()
	rows, err := p.store.Keys(ctx, now)
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	if err := p.keyring.Load(rows, now); err != nil {
		return fmt.Errorf("load keys: %w", err)
	}
	return p.publish()
}

// publish takes the keyring's signing keys over into what we sign with and what the
// world sees: the key set, and the algorithms discovery offers.
func (p *Provider) publish() error {
	if err := p.keys.Load(p.keyring.Signings("oidc")); err != nil {
		return err
	}
	document, err := p.describe(p.keys.Algorithms())
	if err != nil {
		return err
	}
	p.discovery.Store(&document)
	return nil
}

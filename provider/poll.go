package provider

import (
	"context"
	"fmt"
	"time"
)

// Run keeps clients and keys in memory up to date until ctx ends. It polls their versions every
// second, so all servers on a database agree within two seconds.
func (p *Provider) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := p.Poll(ctx); err != nil && ctx.Err() == nil {
				// Clients and keys in memory stay in use without the database.
				p.log.ErrorContext(ctx, "versions not read", "error", err)
			}
		}
	}
}

// Poll polls once.
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
	// Keys become active, retire and expire without a change of their row.
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

// publish loads the signing keys of the keyring, and updates the key set and the algorithms in
// the discovery document.
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

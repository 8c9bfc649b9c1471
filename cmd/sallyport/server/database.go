package server

import (
	"context"
	"fmt"

	"sallyport/storage/relational"
	"sallyport/storage/seal"
)

// OpenEngine opens the database, whatever its schema, and returns it with the keyring that
// it seals with.
func OpenEngine(ctx context.Context, p Options) (*relational.Engine, *seal.Keyring, error) {
	keyring := seal.New(p.KEKs, p.Random)
	o := relational.Options{MaxConns: p.Config.Database.MaxConnections, Logger: p.Log, Now: p.Now, KeepEvents: p.Config.Audit.Keep, ReadOnly: p.ReadOnly}
	if p.events != nil {
		o.Written = p.events.Count
	}
	if p.tracer != nil {
		o.Span = p.tracer.Call
	}
	engine, err := relational.Open(ctx, p.DSN.Reveal(), keyring, o)
	if err != nil {
		return nil, nil, fmt.Errorf("open database: %w", err)
	}
	return engine, keyring, nil
}

// CheckSchema checks that the database has this version's schema.
func CheckSchema(ctx context.Context, engine *relational.Engine) error {
	if err := engine.CheckSchema(ctx); err != nil {
		return fmt.Errorf("%w (sallyport migrate does it)", err)
	}
	return nil
}

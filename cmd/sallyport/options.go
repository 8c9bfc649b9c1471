package main

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"sallyport/config"
	"sallyport/storage/seal"
)

// serverOptions are the options of the server of some settings: it reads the secrets that
// these name.
func serverOptions(c config.Config, log *slog.Logger, now func() time.Time, random io.Reader) (parts, error) {
	dsn, err := c.ReadDSN()
	if err != nil {
		return parts{}, err
	}
	keks, err := seal.ReadKeyFile(c.KeyFile)
	if err != nil {
		return parts{}, fmt.Errorf("key_file: %w", err)
	}
	return parts{config: c, dsn: dsn, keks: keks, log: log, now: now, random: random}, nil
}

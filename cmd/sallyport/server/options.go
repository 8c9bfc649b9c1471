package server

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
func NewOptions(c config.Config, log *slog.Logger, now func() time.Time, random io.Reader) (Options, error) {
	dsn, err := c.ReadDSN()
	if err != nil {
		return Options{}, err
	}
	keks, err := seal.ReadKeyFile(c.KeyFile)
	if err != nil {
		return Options{}, fmt.Errorf("key_file: %w", err)
	}
	return Options{Config: c, DSN: dsn, KEKs: keks, Log: log, Now: now, Random: random}, nil
}

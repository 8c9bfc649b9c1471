package dev

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"sallyport/cmd/sallyport/secretfile"
	"sallyport/cmd/sallyport/server"
	"sallyport/config"
	"sallyport/storage/seal"
)

// folder is dev's data folder: database, key file, passwords, certificate, log.
type folder struct {
	dir     string
	logFile *os.File
}

// marker is a file that marks a folder as dev's, so that --data and --reset touch no other.
const (
	marker     = "SALLYPORT-DEV"
	markerText = "This folder belongs to \"sallyport dev\". It holds test data and their secrets.\nDelete it whenever you like; it is created again.\n"
)

func openFolder(dir string, reset bool) (*folder, error) {
	f := &folder{dir: dir}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if len(entries) > 0 {
		if _, err := os.Stat(f.path(marker)); err != nil {
			return nil, fmt.Errorf("%s holds files that \"sallyport dev\" did not make; name another folder with --data", dir)
		}
	}
	if reset {
		if err := os.RemoveAll(dir); err != nil {
			return nil, fmt.Errorf("reset data folder: %w", err)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create data folder: %w", err)
	}
	if err := os.WriteFile(f.path(marker), []byte(markerText), 0o600); err != nil {
		return nil, fmt.Errorf("create data folder: %w", err)
	}
	f.logFile, err = os.OpenFile(f.path("server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return f, nil
}

func (f *folder) path(name string) string { return filepath.Join(f.dir, name) }

func (f *folder) log() *slog.Logger { return server.NewLog(f.logFile, "info") }

func (f *folder) close() {
	// The log was the place to report it.
	_ = f.logFile.Close()
}

// keks reads the key file, and creates it in a new folder.
func (f *folder) keks(random io.Reader) ([]seal.KEK, error) {
	path := f.path("keys")
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := secretfile.Write(path, seal.NewKeyFile(random)); err != nil {
			return nil, err
		}
	}
	keks, err := seal.ReadKeyFile(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	return keks, nil
}

// adminKey reads the key of the admin API, and creates it in a new folder.
func (f *folder) adminKey(random io.Reader) (config.Secret, error) {
	path := f.path("admin-key")
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		key, err := secretfile.NewKey(random)
		if err != nil {
			return "", err
		}
		if err := secretfile.Write(path, []byte(key.Reveal()+"\n")); err != nil {
			return "", err
		}
	}
	key, err := secretfile.ReadAdminKey(path)
	if err != nil {
		return "", fmt.Errorf("admin key: %w", err)
	}
	return key, nil
}

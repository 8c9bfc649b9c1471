package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"sallyport/mfa/country"
	"sallyport/provider/details"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// filesEvery is how often files are compared with what was read of them.
const filesEvery = 2 * time.Second

// file is what a server reads again while it runs: a setting that names files.
type file struct {
	setting string
	reason  string // of the event of a failure
	paths   []string
	load    func(context.Context) error // a failure keeps what was read before

	read, seen string // the files as they were when read, and at the last look
}

// stamp changes with the files. It does not read them.
func (f *file) stamp() string {
	text := ""
	for _, path := range f.paths {
		if info, err := os.Stat(path); err != nil {
			text += err.Error() + ";"
		} else {
			text += fmt.Sprint(info.ModTime().UnixNano(), " ", info.Size(), ";")
		}
	}
	return text
}

// watchFiles reads files again when they change, and all of them on a hangup.
func (s *Server) watchFiles(ctx context.Context) error {
	tick := time.NewTicker(filesEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.hangup:
			s.Log.Info("hangup: reading the files again")
			for _, f := range s.files {
				s.readAgain(ctx, f, f.stamp())
			}
		case <-tick.C:
			for _, f := range s.files {
				// Unchanged since the last look: the writer has finished.
				stamp := f.stamp()
				if stamp != f.read && stamp == f.seen {
					s.readAgain(ctx, f, stamp)
				}
				f.seen = stamp
			}
		}
	}
}

func (s *Server) readAgain(ctx context.Context, f *file, stamp string) {
	err := f.load(ctx)
	if errors.Is(err, storage.ErrUnavailable) {
		s.Log.Warn("not read again yet", "setting", f.setting, "error", err)
		return
	}
	f.read = stamp
	if err != nil {
		s.Log.Error("not read again; what was read before stays in use", "setting", f.setting, "error", err)
		s.Journal.Note(s.configurationEvent(f.reason))
		return
	}
	s.Log.Info("read again", "setting", f.setting)
}

// addFile registers files to be read again when they change.
func (s *Server) addFile(setting, reason string, load func(context.Context) error, paths ...string) {
	f := &file{setting: setting, reason: reason, paths: paths, load: load}
	f.read = f.stamp()
	s.files = append(s.files, f)
}

// addCertificate is addFile for the certificate of a listener; nil: it has none.
func (s *Server) addCertificate(c *Certificate) {
	if c != nil {
		s.addFile(c.setting, "certificate", func(context.Context) error { return c.load() }, c.files.Cert, c.files.Key)
	}
}

// openCountries reads the file of countries and registers it; nil: there is none.
func (s *Server) openCountries(path string) (*country.File, error) {
	if path == "" {
		return nil, nil
	}
	f, err := country.Open(path)
	if err != nil {
		return nil, fmt.Errorf("country_file: %w", err)
	}
	s.addFile("country_file", "countries", func(context.Context) error { return f.Load() }, path)
	return f, nil
}

// openDetails reads the types of authorization details; nil: there are none.
func openDetails(path string) (*details.Types, error) {
	if path == "" {
		return nil, nil
	}
	types, err := details.Open(path)
	if err != nil {
		return nil, fmt.Errorf("authorization_details_file: %w", err)
	}
	return types, nil
}

// addKeyFile has the key file read again. A file that does not open every key is not used.
func (s *Server) addKeyFile(path string) {
	s.addFile("key_file", "keys", func(ctx context.Context) error {
		keks, err := seal.ReadKeyFile(path)
		if err != nil {
			return err
		}
		now := s.Now()
		rows, err := s.Store.Keys(ctx, now)
		if err != nil {
			return err
		}
		return s.Keyring.ReplaceKEKs(keks, rows, now)
	}, path)
}

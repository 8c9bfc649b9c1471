package bench

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// saveProfiles saves what the server computes and allocates during a run, if the settings ask
// for it. The returned function waits for it.
func saveProfiles(t *target, x run, s settings) func() error {
	if s.profiles == "" {
		return func() error { return nil }
	}
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, kind := range []string{"profile", "allocs"} {
		wg.Go(func() {
			url := fmt.Sprintf("%s%s?seconds=%d", t.profiles, kind, max(1, int(s.time.Seconds())))
			file := strings.ReplaceAll(strings.ReplaceAll(x.name(), "/", "-"), " ", "") + "." + kind
			errs[i] = fetch(url, filepath.Join(s.profiles, file))
		})
	}
	return func() error { wg.Wait(); return errors.Join(errs...) }
}

func fetch(url, file string) error {
	r, err := http.Get(url)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %d", url, r.StatusCode)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, r.Body)
	return errors.Join(err, out.Close())
}

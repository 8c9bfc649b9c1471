package page

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"sallyport/input"
)

//go:embed templates messages static
var embedded embed.FS

// layers are folders on top of each other, the lowest first: a file of a higher one hides
// the same file of a lower one.
type layers []fs.FS

// Open finds the topmost file of a name.
func (l layers) Open(name string) (fs.File, error) {
	for i := len(l) - 1; i >= 0; i-- {
		f, err := l[i].Open(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// ReadFile reads the topmost file of a name. Templates and messages are text of an operator's
// editor; static files are read as they are.
func (l layers) ReadFile(name string) ([]byte, error) {
	f, err := l.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	if err != nil || strings.HasPrefix(name, "static/") {
		return content, err
	}
	text, err := input.Text(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return []byte(text), nil
}

// under puts an operator's folder over the embedded files. A template or message file that
// replaces none is a misspelt name and refused; static files may be added.
func (l layers) under(top fs.FS) (layers, error) {
	for _, folder := range []string{"templates", "messages"} {
		entries, err := fs.ReadDir(top, folder)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			name := path.Join(folder, e.Name())
			if _, err := fs.Stat(l, name); err != nil {
				return nil, fmt.Errorf("%s replaces no embedded file", name)
			}
		}
	}
	return append(l[:len(l):len(l)], layers{top}), nil // read as text, also on its own
}

// names lists the files of a folder in all layers.
func (l layers) names(folder string) ([]string, error) {
	var out []string
	seen := map[string]bool{}
	for _, layer := range l {
		entries, err := fs.ReadDir(layer, folder)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			if !e.IsDir() && !seen[e.Name()] {
				seen[e.Name()] = true
				out = append(out, e.Name())
			}
		}
	}
	return out, nil
}

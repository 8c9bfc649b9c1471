package play

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Cache is the folder of a program of others at a version, where it is built or unpacked once.
func Cache(name, version string) (string, error) {
	root, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(root, "sallyport-peers", name+"@"+version), nil
}

// Given returns what a variable of the environment names, if there is such a file.
func Given(variable string) (string, bool, error) {
	path := os.Getenv(variable)
	if path == "" {
		return "", false, nil
	}
	path, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", variable, err)
	}
	return path, true, err
}

// Program is a program in Go to build: a package of a module, and what else its module needs.
type Program struct {
	Name, Variable   string   // Variable of the environment can name a binary
	Command, Version string   // package, and the version of its module
	With             []string // directives for go.mod that its own go.mod has, or lacks
	Cgo              string   // CGO_ENABLED
}

// Path returns the binary and its version, and builds it if the environment names none.
func (g Program) Path() (binary, version string, err error) {
	if path, ok, err := Given(g.Variable); ok {
		return path, "as given", err
	}
	dir, err := Cache(g.Name, g.Version)
	if err != nil {
		return "", "", err
	}
	binary = filepath.Join(dir, g.Name)
	if _, err := os.Stat(binary); err == nil {
		return binary, g.Version, nil
	}
	mod := "module peer\n\ngo 1.26\n\n" + strings.Join(g.With, "\n") + "\n"
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o644)); err != nil {
		return "", "", err
	}
	err = Tool(dir, "env", "CGO_ENABLED="+g.Cgo, "go", "get", "-tool", g.Command+"@"+g.Version)
	if err == nil {
		err = Tool(dir, "env", "CGO_ENABLED="+g.Cgo, "go", "build", "-p", "1", "-mod=mod", "-o", binary, g.Command)
	}
	if err != nil {
		err = fmt.Errorf("%w; %s can name a binary", err, g.Variable)
	}
	return binary, g.Version, err
}

// Tool runs a program in a folder, at a low priority and outside of this module.
func Tool(dir, name string, args ...string) error {
	c := exec.Command("nice", append([]string{name}, args...)...)
	c.Dir = dir
	c.Env = append(os.Environ(), "GOMAXPROCS=1", "GOFLAGS=-buildvcs=false", "GOWORK=off")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out[max(0, len(out)-2000):])
	}
	return nil
}

package peers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// cache is the folder of a peer at a version. The peers are built there once.
func cache(name, version string) (string, error) {
	root, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(root, "sallyport-peers", name+"@"+version), nil
}

// given returns what a variable of the environment names, if there is such a file.
func given(variable string) (string, bool, error) {
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

// goProgram is a program to build: a package of a module, and what else its module needs.
type goProgram struct {
	name, variable   string
	command, version string   // package, and the version of its module
	with             []string // directives for go.mod that its own go.mod has, or lacks
	cgo              string   // CGO_ENABLED
}

// path returns the binary and its version, and builds it if the environment names none.
func (g goProgram) path() (binary, version string, err error) {
	if path, ok, err := given(g.variable); ok {
		return path, "as given", err
	}
	dir, err := cache(g.name, g.version)
	if err != nil {
		return "", "", err
	}
	binary = filepath.Join(dir, g.name)
	if _, err := os.Stat(binary); err == nil {
		return binary, g.version, nil
	}
	mod := "module peer\n\ngo 1.26\n\n" + strings.Join(g.with, "\n") + "\n"
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o644)); err != nil {
		return "", "", err
	}
	err = tool(dir, "env", "CGO_ENABLED="+g.cgo, "go", "get", "-tool", g.command+"@"+g.version)
	if err == nil {
		err = tool(dir, "env", "CGO_ENABLED="+g.cgo, "go", "build", "-p", "1", "-mod=mod", "-o", binary, g.command)
	}
	if err != nil {
		err = fmt.Errorf("%w; %s can name a binary", err, g.variable)
	}
	return binary, g.version, err
}

// tool runs a program in a folder, at a low priority and outside of this module.
func tool(dir, name string, args ...string) error {
	c := exec.Command("nice", append([]string{name}, args...)...)
	c.Dir = dir
	c.Env = append(os.Environ(), "GOMAXPROCS=1", "GOFLAGS=-buildvcs=false", "GOWORK=off")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out[max(0, len(out)-2000):])
	}
	return nil
}

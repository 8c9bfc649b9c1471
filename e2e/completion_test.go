package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestBashCompletes runs the script of bash in bash, for the built program.
func TestBashCompletes(t *testing.T) {
	t.Parallel()
	const script = `source <(sallyport completion bash)
complete -p sallyport >/dev/null || exit 1
try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sallyport; echo "${COMPREPLY[*]}"; }
try sallyport us
try sallyport user d
try sallyport user delete alice --y
try "$PROGRAM" client sec
try sallyport apply clients.y
`
	c := exec.Command(installed(t, "bash"), "-euc", script)
	c.Env = append(os.Environ(), "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"), "PROGRAM="+program)
	out, err := c.CombinedOutput()
	if want := "user\ndisable delete\n--yes\nsecret\n\n"; err != nil || string(out) != want {
		t.Errorf("%v: %q, want %q", err, out, want)
	}
}

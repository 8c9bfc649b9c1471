package peers

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is a server of its own process group. It runs only between resume and pause.
type process struct {
	addr, admin string // of its listeners
	cmd         *exec.Cmd
	log         string
}

// launch starts a server and waits until a URL of it responds with 200.
func launch(b *testing.B, p *process, ready string, env []string, program string, args ...string) error {
	b.Helper()
	p.log = filepath.Join(b.TempDir(), "log")
	out, err := os.Create(p.log)
	if err != nil {
		return err
	}
	defer out.Close()
	p.cmd = exec.Command(program, args...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	b.Cleanup(func() { _ = p.signal(syscall.SIGKILL); <-ended })
	deadline, tick := time.After(10*time.Minute), time.NewTicker(100*time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			ended <- err
			return fmt.Errorf("%s ended: %v\n%s", program, err, p.tail())
		case <-deadline:
			return fmt.Errorf("%s does not respond at %s\n%s", program, ready, p.tail())
		case <-tick.C:
		}
		if r, err := http.Get(ready); err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				p.pause()
				return nil
			}
		}
	}
}

// tail is the end of the log.
func (p *process) tail() string {
	text, _ := os.ReadFile(p.log)
	return string(text[max(0, len(text)-3000):])
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) signal(s syscall.Signal) error { return syscall.Kill(-p.pid(), s) }

func (p *process) resume() error { return p.signal(syscall.SIGCONT) }
func (p *process) pause()        { _ = p.signal(syscall.SIGSTOP) }

// stat is what /proc says of a process.
type stat struct {
	pid, parent, group int
	own, ended         time.Duration // CPU of it, and of its children that have ended
	rss                int64         // bytes
}

type stats []stat

func processes() (stats, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var out stats
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		s, err := parseStat(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out = append(out, s)
	}
	return out, nil
}

// of adds up a leader, its children that have ended, and its members.
func (all stats) of(leader int, member func(stat) bool) (cpu time.Duration, rss int64) {
	for _, s := range all {
		if s.pid == leader {
			cpu += s.ended
		}
		if s.pid == leader || member(s) {
			cpu += s.own
			rss += s.rss
		}
	}
	return cpu, rss
}

// parseStat reads /proc/PID/stat. The name, in parentheses, may have spaces and parentheses.
func parseStat(text string) (stat, error) {
	const tick = time.Second / 100
	pid, _, _ := strings.Cut(text, " ")
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 22 {
		return stat{}, fmt.Errorf("%q is too short", text)
	}
	var n [8]int64
	for i, field := range []string{pid, fields[1], fields[2], fields[11], fields[12], fields[13], fields[14], fields[21]} {
		var err error
		if n[i], err = strconv.ParseInt(field, 10, 64); err != nil {
			return stat{}, err
		}
	}
	return stat{pid: int(n[0]), parent: int(n[1]), group: int(n[2]), own: time.Duration(n[3]+n[4]) * tick,
		ended: time.Duration(n[5]+n[6]) * tick, rss: n[7] * int64(os.Getpagesize())}, nil
}

package faults

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// etcd is one of three, which decide by majority who is the primary.
type etcd struct {
	name         string
	client, peer int // ports
	settings     []string
	cmd          *exec.Cmd
}

// quorum starts three etcds with the settings of deploy/ha/etcd.env.
func (h *ha) quorum() {
	h.t.Helper()
	for i := range h.etcds {
		h.etcds[i] = &etcd{name: fmt.Sprintf("db%d", i+1), client: h.port(), peer: h.port()}
	}
	for i, e := range h.etcds {
		replace := map[string]string{"ETCD_NAME=db1": "ETCD_NAME=" + e.name, "/var/lib/etcd/sallyport": h.file("etcd-" + e.name),
			"URLS=http://10.0.0.1:2379": fmt.Sprintf("URLS=http://127.0.0.1:%d", e.client), "URLS=http://10.0.0.1:2380": fmt.Sprintf("URLS=http://127.0.0.1:%d", e.peer)}
		for j, other := range h.etcds {
			replace[fmt.Sprintf("db%d=http://10.0.0.%d:2380", j+1, j+1)] = fmt.Sprintf("%s=http://127.0.0.1:%d", other.name, other.peer)
		}
		h.etcds[i].settings = strings.Split(strings.TrimSpace(h.render("etcd.env", replace)), "\n")
		h.startEtcd(e)
	}
	soon(h.t, "the etcds have a leader", 30*time.Second, func() bool { return h.leading() != nil })
}

func (h *ha) startEtcd(e *etcd) {
	h.t.Helper()
	e.cmd = h.run("etcd-"+e.name, e.settings, "etcd", "--unsafe-no-fsync")
}

// leading returns the leader of the etcds; nil: there is none.
func (h *ha) leading() *etcd {
	for _, e := range h.etcds {
		r, err := (&http.Client{Timeout: time.Second}).Get(fmt.Sprintf("http://127.0.0.1:%d/v2/stats/leader", e.client))
		if err != nil {
			continue
		}
		r.Body.Close()
		if r.StatusCode == http.StatusOK {
			return e
		}
	}
	return nil
}

// oneEtcdAway kills the leader of the etcds: longer than a lease, nobody notices.
func (h *ha) oneEtcdAway(t *testing.T, n *cluster) {
	h.settled(t)
	const name = "one etcd away"
	primary, gone := h.leader(), h.leading()
	w := n.watch(t)
	w.seen.mark(name)
	_ = gone.cmd.Process.Kill()
	<-time.After(30 * time.Second) // the lease ends after 20 s
	w.login(t, "a whole login, "+name)
	if p := h.leader(); p != primary {
		t.Error("another machine became the primary")
	}
	h.startEtcd(gone)
	w.seen.mark("it returns")
	<-time.After(5 * time.Second)
	if sums := w.end(t, name, "failover-etcd-one"); sums[refusal] > 0 {
		t.Errorf("%d calls got 503, want none", sums[refusal])
	}
}

// etcdAway kills every etcd: the primary stops being one, and is one again soon after they are back.
func (h *ha) etcdAway(t *testing.T, n *cluster) {
	h.settled(t)
	const name = "etcd away"
	primary := h.leader()
	w := n.watch(t)
	w.seen.mark(name)
	for _, e := range h.etcds {
		_ = syscall.Kill(e.cmd.Process.Pid, syscall.SIGKILL)
	}
	took := soon(t, "the primary stops being one", time.Minute, func() bool { return !primary.rests("/primary") })
	note(t, "R-7", "until the primary stops being one, "+name, took.Round(10*time.Millisecond), "-")
	w.seen.mark("no primary")
	<-time.After(10 * time.Second)
	if h.leader() != nil {
		t.Error("there is a primary without etcd")
	}
	for _, e := range h.etcds {
		h.startEtcd(e)
	}
	w.seen.mark("etcd returns")
	took = soon(t, "a primary again", 2*time.Minute, func() bool { return h.leader() != nil })
	note(t, "R-7", "from etcd to a primary, "+name, took.Round(10*time.Millisecond), "-")
	w.seen.mark("a primary")
	w.login(t, "from the primary to a whole login, "+name)
	<-time.After(2 * time.Second)
	w.end(t, name, "failover-etcd")
}

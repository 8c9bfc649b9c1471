package faults

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/storage/storagetest"
)

// wire is the network between a server and what it calls, mostly servers and their database. It can be cut, drop
// everything, delay, or break after a commit was sent.
type wire struct {
	t        *testing.T
	listener net.Listener

	mu         sync.Mutex
	target     string // path of a Unix socket, or an address
	state      linkState
	delay      time.Duration     // of each piece on its way to the database
	statements map[string]string // what prepared statements do, by name
	commit     int               // the nth commit from now, after which the connection breaks; 0: none
	conns      map[net.Conn]*link
	change     chan struct{} // closed when the state changes
}

type linkState int

const (
	fair linkState = iota
	down           // connections are refused and closed, as by a host without a database
	hole           // connections stay but all data is dropped, as by a dead host
)

// link is one connection from end to end.
type link struct {
	stranded bool // permanently without data
	broken   bool // no more responses
}

func newWire(t *testing.T, target string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t: t, listener: l, target: target, statements: map[string]string{}, conns: map[net.Conn]*link{}, change: make(chan struct{})}
	go w.accept()
	t.Cleanup(func() { _ = l.Close(); w.set(down) })
	return w
}

// host is the wire's end at the server's side.
func (w *wire) host() string { return w.listener.Addr().String() }

func (w *wire) accept() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		go w.carry(near)
	}
}

func (w *wire) set(state linkState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state = state
	close(w.change)
	w.change = make(chan struct{})
	if state == down {
		w.cut()
	}
}

// cut breaks all connections. The caller holds the lock.
func (w *wire) cut() {
	for c := range w.conns {
		_ = c.Close()
	}
	clear(w.conns)
}

// slow delays every packet to the database.
func (w *wire) slow(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.delay = d
}

// breakCommit breaks the connection of the nth commit from now: the database commits, but
// the response is lost. 0: none.
func (w *wire) breakCommit(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.commit = n
}

func (w *wire) carry(near net.Conn) {
	w.mu.Lock()
	if w.state == down {
		w.mu.Unlock()
		_ = near.Close()
		return
	}
	target, l := w.target, &link{}
	w.conns[near] = l
	w.mu.Unlock()
	if !w.clear(l) {
		return
	}
	network := "unix"
	if !strings.HasPrefix(target, "/") {
		network = "tcp"
	}
	far, err := net.Dial(network, target)
	if err != nil {
		_ = near.Close()
		return
	}
	w.mu.Lock()
	w.conns[far] = l
	w.mu.Unlock()
	done := sync.OnceFunc(func() {
		_, _ = near.Close(), far.Close()
		w.mu.Lock()
		delete(w.conns, near)
		delete(w.conns, far)
		w.mu.Unlock()
	})
	go func() { defer done(); w.copy(l, near, far, false) }()
	defer done()
	w.copy(l, far, near, true)
}

// clear waits until the wire passes data.
func (w *wire) clear(l *link) bool {
	for {
		w.mu.Lock()
		state, change := w.state, w.change
		if l.stranded && state == fair {
			state = hole
		}
		w.mu.Unlock()
		switch state {
		case fair:
			return true
		case down:
			return false
		}
		<-change
	}
}

func (w *wire) copy(l *link, to io.Writer, from io.Reader, toDatabase bool) {
	piece := make([]byte, 32<<10)
	for {
		n, err := from.Read(piece)
		if err != nil || !w.clear(l) {
			return
		}
		w.mu.Lock()
		delay := w.delay
		if toDatabase && w.commits(piece[:n]) && w.commit > 0 {
			w.commit--
			l.broken = w.commit == 0
		}
		lost := !toDatabase && l.broken
		w.mu.Unlock()
		if delay > 0 && toDatabase {
			<-time.After(delay)
		}
		if lost {
			return // and with it the connection ends
		}
		if _, err := to.Write(piece[:n]); err != nil {
			return
		}
	}
}

// A statement is prepared once on a connection, under a name that is the same on every one, and then
// bound by this name.
var (
	prepared = regexp.MustCompile("((?:stmtcache|hot)_[0-9a-f]+)\x00(COMMIT|BEGIN|INSERT|UPDATE|DELETE|WITH w AS)")
	bound    = regexp.MustCompile("(?s)B....\x00((?:stmtcache|hot)_[0-9a-f]+)\x00")
)

// commits reports whether a packet ends a transaction: with COMMIT, or with writes outside of one.
// The caller holds the lock.
func (w *wire) commits(piece []byte) bool {
	for _, m := range prepared.FindAllSubmatch(piece, -1) {
		w.statements[string(m[1])] = string(m[2])
	}
	writes, begins := false, bytes.Contains(piece, []byte("begin\x00"))
	for _, m := range bound.FindAllSubmatch(piece, -1) {
		switch w.statements[string(m[1])] {
		case "COMMIT":
			return true
		case "BEGIN":
			begins = true
		case "":
		default:
			writes = true
		}
	}
	return writes && !begins || bytes.Contains(piece, []byte("commit\x00")) || bytes.Contains(piece, []byte("Q\x00\x00\x00\x0bCOMMIT\x00"))
}

// through returns the DSN of a database through wires. The driver tries several hosts for
// the primary.
func through(address string, wires ...*wire) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	hosts := make([]string, len(wires))
	for i, w := range wires {
		hosts[i] = w.host()
	}
	query := "sslmode=disable"
	if len(wires) > 1 {
		query += "&target_session_attrs=read-write"
	}
	return "postgres://postgres@" + strings.Join(hosts, ",") + u.Path + "?" + query
}

// wired starts a database and a wire to it.
func wired(t *testing.T) (*storagetest.Server, *wire) {
	t.Helper()
	s := storagetest.NewServer(t)
	return s, newWire(t, s.Socket())
}

// strand permanently drops the data of existing connections, as when a host died and
// another has taken its address.
func (w *wire) strand() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.conns {
		l.stranded = true
	}
}

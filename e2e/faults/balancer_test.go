package faults

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
)

// balancer sends every request to the next server, or to one. It ignores cookies and readiness.
type balancer struct {
	url     string
	servers []*server
	next    atomic.Int64
	pinned  atomic.Int64   // 1 + the only server to use; 0: all
	counts  []atomic.Int64 // requests to each server
}

func newBalancer(t *testing.T) *balancer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{url: fmt.Sprintf("http://localhost:%d", l.Addr().(*net.TCPAddr).Port)}
	proxy := &httputil.ReverseProxy{
		Transport: &http.Transport{MaxIdleConnsPerHost: 128},
		ErrorLog:  log.New(io.Discard, "", 0), // errors are 502 responses, which callers report
		Rewrite: func(r *httputil.ProxyRequest) {
			i := b.choose()
			b.counts[i].Add(1)
			target, err := url.Parse(b.servers[i].base)
			if err != nil {
				panic(err)
			}
			r.SetURL(target)
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
			r.SetXForwarded()
		},
	}
	s := &http.Server{Handler: proxy}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return b
}

func (b *balancer) choose() int {
	if pin := b.pinned.Load(); pin > 0 {
		return int(pin - 1)
	}
	return int(b.next.Add(1)) % len(b.servers)
}

// pair returns two servers on one database behind a balancer without sticky sessions.
func pair(t *testing.T, p plan) (*cluster, *balancer) {
	t.Helper()
	b := newBalancer(t)
	p.servers, p.issuer = 2, b.url
	n := newCluster(t, p)
	b.servers, b.counts = n.servers, make([]atomic.Int64, 2)
	return n, b
}

// caller returns a caller behind the balancer.
func (b *balancer) caller(n *cluster) *caller { return n.via(func() string { return b.url }) }

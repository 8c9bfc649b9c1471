package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"sallyport/provider/cache"
)

// Refusals of a Fetcher.
var (
	ErrForbidden = errors.New("the address is not on the internet, and fetch.allowed_networks does not name it")
	ErrURL       = errors.New("the address is not an https URL")
	ErrBusy      = errors.New("too many documents are being fetched")
	ErrTooLarge  = errors.New("the document is too large")
	ErrGone      = errors.New("there is no document at the address")
)

const (
	// timeout bounds a call with everything in it. It is less than what a request to the server
	// may take.
	timeout = 1500 * time.Millisecond
	// failureKept is how long a call that failed is not repeated.
	failureKept = 5 * time.Second
	// most and mostOfHost bound the calls at the same time. Nobody waits for a place: a server that
	// responds slowly would keep the others waiting.
	most, mostOfHost = 64, 4
	// documents bounds the documents in memory.
	documents = 500
)

// Options are the settings of a Fetcher.
type Options struct {
	Allowed []netip.Prefix // networks that are not on the internet, and may be fetched from
	Roots   *x509.CertPool // nil: the certificates that the system trusts
}

// Want is what a caller fetches, and the bounds of it.
type Want struct {
	URL string // a fragment is ignored
	Max int64  // bytes
	// A document is used again for Least, and longer if its Cache-Control allows, but not after
	// Most; until then it also stands in for one that cannot be fetched.
	Least, Most time.Duration
	// Current: where the server says that there is no document any more, the one in memory does not
	// stand in for it.
	Current bool
	// Admit, if not nil, is called before a call for a document that is not in memory, or by Newer.
	// Its error refuses the call.
	Admit func() error
}

// Document is a document as it was fetched. It is shared and read-only.
type Document struct {
	Body []byte
	Type string    // its Content-Type
	At   time.Time // when it was fetched
	// Before is when the document was fetched that this one replaced in memory; zero: there was none.
	Before time.Time
	kept   time.Duration
	err    error // the call failed
}

// Fetcher reads documents.
type Fetcher struct {
	client *http.Client
	now    func() time.Time
	kept   *cache.Cache[string, Document]

	mu     sync.Mutex
	calls  map[string]*call
	ofHost map[string]int
}

// call is one that is being made.
type call struct {
	done chan struct{}
	got  Document
}

// New returns a Fetcher.
func New(now func() time.Time, o Options) *Fetcher {
	d := &net.Dialer{Timeout: timeout, Control: guard(o.Allowed)}
	return newFetcher(now, &http.Client{
		// A proxy would connect in the server's place, so none is used.
		Transport: &http.Transport{DialContext: d.DialContext, TLSClientConfig: &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 16 << 10, DisableCompression: true, IdleConnTimeout: 30 * time.Second, MaxIdleConns: 16},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	})
}

func newFetcher(now func() time.Time, c *http.Client) *Fetcher {
	return &Fetcher{client: c, now: now, kept: cache.New[string, Document](documents), calls: map[string]*call{}, ofHost: map[string]int{}}
}

// Apart returns a Fetcher with the same settings and connections, but a memory and places of its own.
func (f *Fetcher) Apart() *Fetcher { return newFetcher(f.now, f.client) }

// Get returns a document, from memory if it may be used again. What is in memory is fetched again
// for anybody when its time is over: Least bounds these calls, and a caller whose own budget is
// exhausted must not keep in use what was withdrawn.
func (f *Fetcher) Get(ctx context.Context, w Want) (Document, error) {
	if _, _, found := f.kept.Get(memoryKey(w.URL)); found {
		w.Admit = nil
	}
	return f.get(ctx, w, func(d Document) bool { return f.now().Sub(d.At) < d.kept })
}

// Kept returns a document from memory that was fetched less than most ago.
func (f *Fetcher) Kept(address string, most time.Duration) (Document, bool) {
	d, _, found := f.kept.Get(memoryKey(address))
	return d, found && d.err == nil && f.now().Sub(d.At) < most
}

// Newer returns a document that was fetched after the given time. It is for documents that the one
// in memory proves to be outdated.
func (f *Fetcher) Newer(ctx context.Context, w Want, than time.Time) (Document, error) {
	return f.get(ctx, w, func(d Document) bool { return d.At.After(than) })
}

func (f *Fetcher) get(ctx context.Context, w Want, good func(Document) bool) (Document, error) {
	w.URL = memoryKey(w.URL)
	last, _, found := f.kept.Get(w.URL)
	if found && last.err == nil && good(last) {
		return last, nil
	}
	failed, _, known := f.kept.Get(failureOf(w.URL))
	if !known || f.now().Sub(failed.At) >= failureKept {
		failed = f.admitted(ctx, w, good)
	}
	switch {
	case failed.err == nil:
		return failed, nil
	case found && f.now().Sub(last.At) < w.Most && ctx.Err() == nil && !(w.Current && errors.Is(failed.err, ErrGone)):
		return last, nil
	}
	return Document{}, failed.err
}

// admitted is share, if the caller may cause a call.
func (f *Fetcher) admitted(ctx context.Context, w Want, good func(Document) bool) Document {
	if w.Admit != nil {
		if err := w.Admit(); err != nil {
			return Document{err: err}
		}
	}
	return f.share(ctx, w, good)
}

// memoryKey is the address of a document without its fragment: no server sees that, so it leads to
// no other document.
func memoryKey(address string) string {
	address, _, _ = strings.Cut(address, "#")
	return address
}

// failureOf is the key of the last failed call for a document, which leaves the document itself in
// memory.
func failureOf(url string) string { return "failed " + url }

// share makes a call, or waits for the one that another caller makes. It goes on if its caller
// leaves, because others may wait for it.
func (f *Fetcher) share(ctx context.Context, w Want, good func(Document) bool) Document {
	u, err := url.Parse(w.URL)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Opaque != "" {
		return Document{err: ErrURL}
	}
	f.mu.Lock()
	c, running := f.calls[w.URL]
	if !running {
		if last, _, found := f.kept.Get(w.URL); found && good(last) { // a call has just ended
			f.mu.Unlock()
			return last
		}
		if len(f.calls) >= most || f.ofHost[u.Host] >= mostOfHost {
			f.mu.Unlock()
			return Document{err: ErrBusy}
		}
		c = &call{done: make(chan struct{})}
		f.calls[w.URL] = c
		f.ofHost[u.Host]++
		go f.run(context.WithoutCancel(ctx), w, u.Host, c)
	}
	f.mu.Unlock()
	select {
	case <-c.done:
		return c.got
	case <-ctx.Done():
		return Document{err: ctx.Err()}
	}
}

func (f *Fetcher) run(ctx context.Context, w Want, host string, c *call) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, epoch, _ := f.kept.Get(w.URL)
	c.got = f.fetch(ctx, w)
	if last, _, found := f.kept.Get(w.URL); found {
		c.got.Before = last.At
	}
	key := w.URL
	if c.got.err != nil {
		key = failureOf(w.URL)
	}
	f.kept.Put(key, c.got, epoch)
	f.mu.Lock()
	delete(f.calls, w.URL)
	if f.ofHost[host]--; f.ofHost[host] == 0 {
		delete(f.ofHost, host)
	}
	f.mu.Unlock()
	close(c.done)
}

func (f *Fetcher) fetch(ctx context.Context, w Want) Document {
	d := Document{At: f.now()}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL, nil)
	if err != nil {
		d.err = ErrURL
		return d
	}
	r.Header.Set("User-Agent", "Sallyport")
	response, err := f.client.Do(r)
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err // without the address, which may be a secret of the client
	}
	if err != nil {
		d.err = fmt.Errorf("fetch: %w", err)
		return d
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotFound || response.StatusCode == http.StatusGone {
		d.err = fmt.Errorf("fetch: %w", ErrGone)
		return d
	}
	if response.StatusCode != http.StatusOK {
		d.err = fmt.Errorf("fetch: HTTP %d", response.StatusCode)
		return d
	}
	d.Type = response.Header.Get("Content-Type")
	d.Body, err = io.ReadAll(io.LimitReader(response.Body, w.Max+1))
	if err == nil {
		err = ctx.Err() // a server that ends what was cut off makes it look whole
	}
	switch {
	case err != nil:
		d.err = fmt.Errorf("fetch: %w", err)
	case int64(len(d.Body)) > w.Max:
		d.Body, d.err = nil, ErrTooLarge
	}
	d.kept = min(max(w.Least, freshFor(response.Header.Get("Cache-Control"))), w.Most)
	return d
}

// freshFor returns how long a response may be used again (RFC 9111 section 5.2.2); 0 if it does not
// say so.
func freshFor(control string) time.Duration {
	var age time.Duration
	for directive := range strings.SplitSeq(control, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			if seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
				age = time.Duration(seconds) * time.Second
			}
		}
	}
	return age
}

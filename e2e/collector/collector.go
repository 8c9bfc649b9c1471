// Package collector is a trace collector for tests: it receives OTLP over HTTP.
package collector

import (
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	otlp "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	v1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is the part of a span that tests check.
type Span struct {
	Name, Scope, Trace, ID, Parent string
	Failed                         bool
	Attributes                     map[string]string
	More                           int // events and links
	Text                           string
}

// Collector stores received spans.
type Collector struct {
	URL string

	mu       sync.Mutex
	spans    []Span
	resource map[string]string
	headers  http.Header
}

// New starts a collector that ends with the test.
func New(t testing.TB) *Collector {
	c := &Collector{}
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	c.URL = s.URL
	return c
}

// ServeHTTP implements http.Handler.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in, err := read(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.headers = r.Header.Clone()
	for _, rs := range in.GetResourceSpans() {
		c.resource = map[string]string{}
		for _, a := range rs.GetResource().GetAttributes() {
			c.resource[a.GetKey()] = a.GetValue().GetStringValue()
		}
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				c.spans = append(c.spans, spanOf(ss.GetScope().GetName(), s))
			}
		}
	}
}

func read(r *http.Request) (*otlp.ExportTraceServiceRequest, error) {
	if r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		return nil, fmt.Errorf("%s %s with %q", r.Method, r.URL.Path, r.Header.Get("Content-Type"))
	}
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(r.Body); err != nil {
			return nil, err
		}
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	in := new(otlp.ExportTraceServiceRequest)
	return in, proto.Unmarshal(text, in)
}

func spanOf(scope string, s *v1.Span) Span {
	out := Span{Name: s.GetName(), Scope: scope, Trace: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()),
		Parent: hex.EncodeToString(s.GetParentSpanId()), Failed: s.GetStatus().GetCode() == v1.Status_STATUS_CODE_ERROR,
		Attributes: map[string]string{}, More: len(s.GetEvents()) + len(s.GetLinks()), Text: s.String()}
	for _, a := range s.GetAttributes() {
		out.Attributes[a.GetKey()] = a.GetValue().GetStringValue()
		if n := a.GetValue().GetIntValue(); n != 0 {
			out.Attributes[a.GetKey()] = strconv.FormatInt(n, 10)
		}
	}
	return out
}

// Spans returns the received spans.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Span{}, c.spans...)
}

// Last returns the headers and the resource of the last request.
func (c *Collector) Last() (http.Header, map[string]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.headers, c.resource
}

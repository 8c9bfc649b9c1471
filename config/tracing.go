package config

import (
	"errors"
	"fmt"
	"net/textproto"
	"net/url"
	"os"
	"strings"

	"sallyport/config/strict"
	"sallyport/input"
)

// Tracing is the collector that spans are sent to (OTLP over HTTP); empty: no spans.
type Tracing struct {
	// Collector that [traces](metrics.md#traces) are sent to, OTLP over HTTP, such as
	// `http://127.0.0.1:4318`; `/v1/traces` is added to a URL without a path. Without an
	// endpoint nothing is traced.
	Endpoint string `yaml:"endpoint" env:"ENDPOINT"`
	// Share of the requests that are traced; a trusted proxy that sends `traceparent` decides
	// for its requests.
	SampleRatio float64 `yaml:"sample_ratio" env:"SAMPLE_RATIO" min:"0" max:"1"`
	// File with headers for the collector, one `Name: value` per line, `#` begins a comment.
	// Needs an `https://` endpoint, or one on the same machine.
	HeadersFile string `yaml:"headers_file" env:"HEADERS_FILE"`
}

// checkTracing: the headers hold a key of the collector, so they are sent over https or
// stay on this machine.
func (c Config) checkTracing(r *strict.Reader) {
	const path = "tracing.endpoint"
	t := c.Tracing
	if t.Endpoint == "" {
		if t.HeadersFile != "" {
			r.Fault("tracing.headers_file", "needs tracing.endpoint")
		}
		return
	}
	u, err := url.Parse(t.Endpoint)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		r.Fault(path, "must be a URL such as http://127.0.0.1:4318")
	case u.User != nil:
		r.Fault(path, "holds a user or password; put a header into a file and name it in tracing.headers_file")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(t.Endpoint, "#"):
		r.Fault(path, "must have no query and no fragment")
	case t.HeadersFile != "" && u.Scheme == "http" && !input.Loopback(u.Hostname()):
		r.Fault(path, "must begin with https:// because tracing.headers_file is set")
	}
}

// ReadHeaders reads the headers for the collector, one per line as in HTTP; # begins a
// comment. Errors do not quote the file.
func (t Tracing) ReadHeaders() (map[string]Secret, error) {
	if t.HeadersFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(t.HeadersFile)
	if err != nil {
		return nil, fmt.Errorf("read tracing.headers_file: %w", err)
	}
	content, err := input.Text(text)
	if err != nil {
		return nil, fmt.Errorf("tracing.headers_file: %w", err)
	}
	headers := map[string]Secret{}
	n := 0
	for line := range strings.Lines(content) {
		n++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if !fieldName(name) || value == "" || strings.ContainsFunc(value, func(x rune) bool { return x < ' ' || x == 0x7f }) {
			return nil, fmt.Errorf("tracing.headers_file: line %d is not \"Name: value\"", n)
		}
		headers[textproto.CanonicalMIMEHeaderKey(name)] = Secret(value)
	}
	if len(headers) == 0 {
		return nil, errors.New("tracing.headers_file: the file has no header")
	}
	return headers, nil
}

// fieldName reports whether a text may be the name of a header (RFC 9110 section 5.6.2).
func fieldName(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(x rune) bool {
		return !(x >= 'a' && x <= 'z' || x >= 'A' && x <= 'Z' || x >= '0' && x <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", x))
	})
}

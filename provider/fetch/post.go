package fetch

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sallyport/provider/origin"
)

const (
	// postTimeout bounds a post. Nobody waits for it.
	postTimeout = 5 * time.Second
	// restTimeout is how long the rest of a response may take after its status. A receiver that sends
	// it byte by byte would hold up the messages to others.
	restTimeout = 100 * time.Millisecond
	// responseMost is how much of a response is read, for the connection to be used again.
	responseMost = 16 << 10
)

// Response is what the receiver of a post says.
type Response struct {
	Status     int    // 302 and others: it was not followed
	RetryAfter string // the header
}

// Body is what a post sends.
type Body struct {
	Type   string // Content-Type
	Text   string
	Bearer string // of the header Authorization; "": none
}

// Form returns the body of a form.
func Form(values url.Values) Body {
	return Body{Type: "application/x-www-form-urlencoded", Text: values.Encode()}
}

// Post sends a body. What the receiver says beyond its status is not read. Its address may be http
// on a loopback host.
func (f *Fetcher) Post(ctx context.Context, to string, b Body) (Response, error) {
	u, err := url.Parse(to)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Opaque != "" || !origin.Secure(u) {
		return Response{}, ErrURL
	}
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(b.Text))
	if err != nil {
		return Response{}, ErrURL
	}
	r.Header.Set("Content-Type", b.Type)
	if b.Bearer != "" {
		r.Header.Set("Authorization", "Bearer "+b.Bearer)
	}
	r.Header.Set("User-Agent", "Sallyport")
	response, err := f.client.Do(r)
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err // without the address, which may be a secret of the client
	}
	if err != nil {
		return Response{}, err
	}
	defer response.Body.Close()
	// The status has been sent, so the receiver has decided, whatever becomes of the rest.
	defer time.AfterFunc(restTimeout, cancel).Stop()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, responseMost))
	return Response{Status: response.StatusCode, RetryAfter: response.Header.Get("Retry-After")}, nil
}

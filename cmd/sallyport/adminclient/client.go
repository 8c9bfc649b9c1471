// Package adminclient calls the admin API: of a running server, or in this process where
// none runs. It sends a key to nobody who has not proven to know it.
package adminclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"time"

	"sallyport/config"
	"sallyport/web"
	"sallyport/web/admin"
)

// dialWait is how long a command waits for somebody to take its connection.
const dialWait = 3 * time.Second

// remote is an admin API, wherever it is.
type Client struct {
	http  *http.Client
	base  string // without the path of the API
	key   config.Secret
	agent string // says in the audit trail which command it was
	Close func()
}

func newClient(base string, key config.Secret, agent string, transport http.RoundTripper) *Client {
	return &Client{base: base, key: key, agent: agent, Close: func() {}, http: &http.Client{Transport: transport,
		// The key goes where it was meant to go and nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (r *Client) Get(ctx context.Context, path string, query url.Values, into any) error {
	return r.Call(ctx, http.MethodGet, path, query, nil, into)
}

// call makes one call. body is nothing, the text of a desired state, or what is sent as
// JSON. A refusal is a *problem.
func (r *Client) Call(ctx context.Context, method, path string, query url.Values, body, into any) error {
	text, kind, err := Encode(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, r.base+admin.Base+path, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.URL.RawQuery = query.Encode()
	req.Header.Set("User-Agent", r.agent)
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if r.key != "" {
		req.Header.Set("Authorization", "Bearer "+r.key.Reveal())
	}
	answer, err := r.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // its own text is the address with the query
		}
		if refused, ok := errors.AsType[unproven](err); ok {
			return refused.error
		}
		return fmt.Errorf("call the admin API at %s: %w", r.base, err)
	}
	defer answer.Body.Close()
	return readAnswer(r.base, answer, into)
}

func Encode(body any) ([]byte, string, error) {
	switch b := body.(type) {
	case nil:
		return nil, "", nil
	case []byte:
		return b, "application/yaml", nil
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, "", fmt.Errorf("write request: %w", err)
	}
	return text, "application/json", nil
}

// readAnswer takes an answer of the admin API at an address apart. Numbers stay as they were written.
func readAnswer(base string, answer *http.Response, into any) error {
	kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	good := answer.StatusCode == http.StatusOK || answer.StatusCode == http.StatusCreated
	if err != nil || answer.Header.Get(web.CorrelationHeader) == "" || good && kind != "application/json" || !good && kind != "application/problem+json" {
		return fmt.Errorf("what answers at %s is no admin API of Sallyport (status %d)", base, answer.StatusCode)
	}
	d := json.NewDecoder(answer.Body)
	d.UseNumber()
	if good {
		if err := d.Decode(into); err != nil {
			return fmt.Errorf("read the answer of the admin API at %s: %w", base, err)
		}
		return nil
	}
	var e Problem
	if err := d.Decode(&e.Problem); err != nil {
		return fmt.Errorf("read the answer of the admin API at %s: %w", base, err)
	}
	if e.Status == http.StatusUnauthorized {
		return fmt.Errorf("the admin API at %s does not know the key: %w", base, &e)
	}
	return &e
}

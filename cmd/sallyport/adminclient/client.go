// Package adminclient calls the admin API of a running server, or in this process if none
// runs. It sends its key to no server that has not proven that it knows the key.
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

// dialTimeout bounds how long a client waits for a connection.
const dialTimeout = 3 * time.Second

// Client calls an admin API.
type Client struct {
	http  *http.Client
	base  string // without the path of the API
	key   config.Secret
	agent string // names the command in the audit trail
	Close func()
}

func newClient(base string, key config.Secret, agent string, transport http.RoundTripper) *Client {
	return &Client{base: base, key: key, agent: agent, Close: func() {}, http: &http.Client{Transport: transport,
		// A redirect would send the key to another address.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// Get makes a call that reads.
func (r *Client) Get(ctx context.Context, path string, query url.Values, into any) error {
	return r.Call(ctx, http.MethodGet, path, query, nil, into)
}

// Call makes one call. body is nil, the text of a desired state, or a value to send as JSON.
// A refusal is a *Problem.
func (r *Client) Call(ctx context.Context, method, path string, query url.Values, body, into any) error {
	text, kind, err := Encode(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, r.base+admin.Base+path, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("create request: %w", err)
	}
	req.URL.RawQuery = query.Encode()
	req.Header.Set("User-Agent", r.agent)
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if r.key != "" {
		req.Header.Set("Authorization", "Bearer "+r.key.Reveal())
	}
	response, err := r.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // its text has the address with the query
		}
		if refused, ok := errors.AsType[unproven](err); ok {
			return refused.error
		}
		return fmt.Errorf("call the admin API at %s: %w", r.base, err)
	}
	defer response.Body.Close()
	return readResponse(r.base, response, into)
}

// Encode returns a body and its content type.
func Encode(body any) ([]byte, string, error) {
	switch b := body.(type) {
	case nil:
		return nil, "", nil
	case []byte:
		return b, "application/yaml", nil
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, "", fmt.Errorf("encode request: %w", err)
	}
	return text, "application/json", nil
}

// readResponse decodes a response of the admin API at base. Numbers keep their notation.
func readResponse(base string, response *http.Response, into any) error {
	kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	good := response.StatusCode == http.StatusOK || response.StatusCode == http.StatusCreated
	if err != nil || response.Header.Get(web.CorrelationHeader) == "" || good && kind != "application/json" || !good && kind != "application/problem+json" {
		return fmt.Errorf("%s is not an admin API of Sallyport (it responded with status %d)", base, response.StatusCode)
	}
	d := json.NewDecoder(response.Body)
	d.UseNumber()
	if good {
		if err := d.Decode(into); err != nil {
			return fmt.Errorf("read the response of the admin API at %s: %w", base, err)
		}
		return nil
	}
	var e Problem
	if err := d.Decode(&e.Problem); err != nil {
		return fmt.Errorf("read the response of the admin API at %s: %w", base, err)
	}
	if e.Status == http.StatusUnauthorized {
		return fmt.Errorf("the admin API at %s does not know the key: %w", base, &e)
	}
	return &e
}

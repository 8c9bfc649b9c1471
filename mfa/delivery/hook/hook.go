// Package hook sends messages to an HTTP endpoint of the operator, signed as Standard
// Webhooks 1.0 describes: for text messages, whose providers all have an API of their own.
package hook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sallyport/input"
	"sallyport/mfa/delivery"
)

// responseMost is how much of a response is read, for the connection to be used again.
const responseMost = 64 << 10

// Options are the endpoint and its secrets.
type Options struct {
	URL     string
	Secrets [][]byte     // at least one; each makes a signature, so that the receiver may change its own
	Client  *http.Client // nil: one for the URL. Tests trust their own certificates
}

// Sender implements delivery.Sender.
type Sender struct {
	o      Options
	client *http.Client
	now    func() time.Time
}

// New returns a Sender.
func New(o Options, now func() time.Time) *Sender {
	client := http.Client{}
	if o.Client != nil {
		client = *o.Client
	}
	// A redirect would send a code to an address that is not configured.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Sender{o: o, client: &client, now: now}
}

// Secrets reads the secrets in a file, one a line: "whsec_" and base64, or any other text of
// at least 24 bytes. Errors do not quote it.
func Secrets(text []byte) ([][]byte, error) {
	content, err := input.Text(text)
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for line := range strings.Lines(content) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		secret := []byte(line)
		if encoded, ok := strings.CutPrefix(line, "whsec_"); ok {
			var err error
			if secret, err = base64.StdEncoding.DecodeString(encoded); err != nil {
				return nil, errors.New("what follows whsec_ is not base64")
			}
		}
		if len(secret) < 24 {
			return nil, errors.New("a secret is shorter than 24 bytes")
		}
		out = append(out, secret)
	}
	if len(out) == 0 || len(out) > 2 {
		return nil, errors.New("want one secret, or two while they are changed, a line each")
	}
	return out, nil
}

// Repeatable returns true: the receiver recognizes a message by its webhook-id.
func (s *Sender) Repeatable() bool { return true }

// body is what is posted.
type body struct {
	Type      string `json:"type"`
	Timestamp string `json:"timestamp"`
	Data      data   `json:"data"`
}

type data struct {
	ID        string            `json:"id"`
	Kind      string            `json:"kind"`
	Recipient string            `json:"recipient"`
	Locale    string            `json:"locale"`
	Template  string            `json:"template"`
	Subject   string            `json:"subject,omitempty"`
	Text      string            `json:"text"`
	HTML      string            `json:"html,omitempty"`
	Values    map[string]string `json:"values"`
}

// Send posts a message.
func (s *Sender) Send(ctx context.Context, m delivery.Outgoing) error {
	now := s.now().UTC()
	text, err := json.Marshal(body{"message." + m.Kind, now.Format(time.RFC3339), data{ID: string(m.ID), Kind: m.Kind, Recipient: m.Recipient,
		Locale: m.Locale, Template: m.Template, Subject: m.Subject, Text: m.Text, HTML: m.HTML, Values: m.Data}})
	if err != nil {
		return &delivery.Permanent{Reason: "not representable"}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.o.URL, bytes.NewReader(text))
	if err != nil {
		return &delivery.Retry{Reason: "settings"}
	}
	at := strconv.FormatInt(now.Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Sallyport")
	r.Header.Set("webhook-id", string(m.ID))
	r.Header.Set("webhook-timestamp", at)
	r.Header.Set("webhook-signature", Sign(s.o.Secrets, string(m.ID), at, text))
	response, err := s.client.Do(r)
	if err != nil {
		return &delivery.Retry{Reason: delivery.NoResponse(ctx, err)} // the text of err has the URL
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, responseMost))
	return judge(response, now)
}

// Sign returns the signatures of a body by every secret, separated by spaces.
func Sign(secrets [][]byte, id, timestamp string, body []byte) string {
	var out []string
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, secret)
		fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
		out = append(out, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(out, " ")
}

// judge returns what a response means for the message.
func judge(r *http.Response, now time.Time) error {
	text := "HTTP " + strconv.Itoa(r.StatusCode)
	switch code := r.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code >= 400 && code < 500 && code != http.StatusRequestTimeout && code != http.StatusConflict &&
		code != http.StatusTooEarly && code != http.StatusTooManyRequests:
		return &delivery.Permanent{Reason: text}
	}
	return &delivery.Retry{Reason: text, After: delivery.RetryAfter(r.Header.Get("Retry-After"), now)}
}

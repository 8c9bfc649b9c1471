package hook_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"sallyport/mfa/delivery"
	"sallyport/mfa/delivery/hook"
)

var (
	secret  = []byte("0123456789abcdefghijklmnopqrstuv")
	another = []byte("zyxwvutsrqponmlkjihgfedcba987654")
)

func now() time.Time { return time.Unix(1796000000, 0) }

func message() delivery.Outgoing {
	return delivery.Outgoing{ID: "019ca945-0a7b-727f-90b1-46e13dceb0fc", Kind: "sms", Recipient: "+4915112345678", Locale: "de", Template: "code",
		Text: "31415926 ist Ihr Code", Data: map[string]string{"code": "31415926", "minutes": "5"}}
}

// send sends a message to a receiver and returns the error.
func send(t *testing.T, secrets [][]byte, receive http.HandlerFunc) error {
	t.Helper()
	receiver := httptest.NewTLSServer(receive)
	defer receiver.Close()
	return hook.New(hook.Options{URL: receiver.URL + "/sms?tenant=1", Secrets: secrets, Client: receiver.Client()}, now).Send(t.Context(), message())
}

// verify checks a request as a receiver with one secret does, after the text of Standard
// Webhooks and not with the code of this package.
func verify(r *http.Request, body []byte, secret []byte) bool {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(r.Header.Get("webhook-id") + "." + r.Header.Get("webhook-timestamp") + "." + string(body)))
	want := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for signature := range strings.SplitSeq(r.Header.Get("webhook-signature"), " ") {
		if version, value, _ := strings.Cut(signature, ","); version == "v1" && hmac.Equal([]byte(value), []byte(want)) {
			return true
		}
	}
	return false
}

func TestAMessageIsPostedAndSigned(t *testing.T) {
	for name, tc := range map[string]struct {
		secrets  [][]byte
		first    bool
		second   bool
		numbered int
	}{
		"one secret":               {[][]byte{secret}, true, false, 1},
		"two, while they change":   {[][]byte{another, secret}, true, true, 2},
		"the receiver has none of": {[][]byte{[]byte("something else of 32 characters")}, false, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			err := send(t, tc.secrets, func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				if r.Method != "POST" || r.URL.String() != "/sms?tenant=1" || r.Header.Get("Content-Type") != "application/json" ||
					r.Header.Get("webhook-id") != string(message().ID) || r.Header.Get("webhook-timestamp") != "1796000000" {
					t.Errorf("%s %s: %v", r.Method, r.URL, r.Header)
				}
				if verify(r, body, secret) != tc.first || verify(r, body, another) != tc.second || verify(r, append(body, ' '), secret) {
					t.Errorf("the signature is %s", r.Header.Get("webhook-signature"))
				}
				if n := len(strings.Fields(r.Header.Get("webhook-signature"))); n != tc.numbered {
					t.Errorf("%d signatures, want %d", n, tc.numbered)
				}
				var got map[string]any
				if err := json.Unmarshal(body, &got); err != nil {
					t.Error(err)
				}
				want := map[string]any{"type": "message.sms", "timestamp": "2026-11-30T00:53:20Z", "data": map[string]any{
					"id": string(message().ID), "kind": "sms", "recipient": "+4915112345678", "locale": "de", "template": "code",
					"text": "31415926 ist Ihr Code", "values": map[string]any{"code": "31415926", "minutes": "5"}}}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("the body is %s", body)
				}
				w.WriteHeader(http.StatusNoContent)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// The example of Standard Webhooks, which every library of theirs tests.
func TestSignaturesAreThoseOfTheStandard(t *testing.T) {
	secrets, err := hook.Secrets([]byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"))
	if err != nil {
		t.Fatal(err)
	}
	got := hook.Sign(secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWhatAResponseMeans(t *testing.T) {
	later := func(code string, after time.Duration) error {
		return &delivery.Retry{Reason: "HTTP " + code, After: after}
	}
	never := func(code string) error { return &delivery.Permanent{Reason: "HTTP " + code} }
	for _, tc := range []struct {
		code  int
		after string
		want  error
	}{
		{200, "", nil}, {202, "", nil}, {204, "", nil},
		{400, "", never("400")}, {401, "", never("401")}, {404, "", never("404")}, {410, "", never("410")}, {422, "5", never("422")},
		{408, "", later("408", 0)}, {409, "", later("409", 0)}, {425, "", later("425", 0)}, {429, "120", later("429", 2*time.Minute)},
		{500, "", later("500", 0)}, {502, "", later("502", 0)}, {503, "Mon, 30 Nov 2026 00:54:20 GMT", later("503", time.Minute)},
		{503, "Mon, 30 Nov 2020 00:54:20 GMT", later("503", 0)}, {503, "-5", later("503", 0)}, {503, "soon", later("503", 0)},
		{302, "", later("302", 0)}, {307, "", later("307", 0)}, {308, "", later("308", 0)},
	} {
		asked := 0
		err := send(t, [][]byte{secret}, func(w http.ResponseWriter, r *http.Request) {
			asked++
			w.Header().Set("Location", "/elsewhere")
			if tc.after != "" {
				w.Header().Set("Retry-After", tc.after)
			}
			w.WriteHeader(tc.code)
			_, _ = io.WriteString(w, "for 31415926")
		})
		if !reflect.DeepEqual(err, tc.want) || asked != 1 {
			t.Errorf("%d %s: %v after %d requests, want %v", tc.code, tc.after, err, asked, tc.want)
		}
	}
}

func TestAReceiverThatFails(t *testing.T) {
	same := func(what string, err error, reason string) {
		t.Helper()
		if !reflect.DeepEqual(err, error(&delivery.Retry{Reason: reason})) {
			t.Errorf("%s: %T %v, want %s", what, err, err, reason)
		}
	}
	same("it hangs up", send(t, [][]byte{secret}, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), "the connection ended")

	reached := make(chan struct{})
	silent := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		close(reached)
		<-r.Context().Done()
		panic(http.ErrAbortHandler) // returning would answer 200, which the sender may still read
	}))
	defer silent.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-reached
		cancel()
	}()
	same("it is silent", hook.New(hook.Options{URL: silent.URL, Secrets: [][]byte{secret}, Client: silent.Client()}, now).Send(ctx, message()), "no response in time")

	calm := httptest.NewUnstartedServer(http.NotFoundHandler())
	calm.Config.ErrorLog = log.New(io.Discard, "", 0)
	calm.StartTLS()
	untrusting := hook.New(hook.Options{URL: calm.URL, Secrets: [][]byte{secret}}, now)
	same("its certificate is not trusted", untrusting.Send(t.Context(), message()), "the certificate is not valid for this host")
	calm.Close()
	same("it is away", untrusting.Send(t.Context(), message()), "no connection")
}

func TestAResponseIsReadToABound(t *testing.T) {
	wrote := make(chan int, 1)
	err := send(t, [][]byte{secret}, func(w http.ResponseWriter, r *http.Request) {
		n := 0
		for r.Context().Err() == nil && n < 64<<20 {
			m, err := w.Write(make([]byte, 64<<10))
			n += m
			if err != nil {
				break
			}
		}
		wrote <- n
	})
	if n := <-wrote; err != nil || n >= 64<<20 {
		t.Errorf("%v after %d bytes", err, n)
	}
}

func TestSecretsOfAFile(t *testing.T) {
	for text, want := range map[string][][]byte{
		"whsec_" + base64.StdEncoding.EncodeToString(secret) + "\n": {secret},
		string(another) + "\n\n" + string(secret):                   {another, secret},
		"":                                     nil,
		"a brief one":                          nil,
		"whsec_c2hvcnQ=":                       nil,
		"whsec_" + "not base64":                nil,
		strings.Repeat(string(secret)+"\n", 3): nil,
	} {
		got, err := hook.Secrets([]byte(text))
		if !reflect.DeepEqual(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
		if err != nil && len(text) > 0 && strings.Contains(err.Error(), text) {
			t.Errorf("the error quotes the secret: %v", err)
		}
	}
}

package api_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/mfa/mfatest"
	"sallyport/storage"
)

const (
	mail   = "ada@example.org"
	masked = "a•••a@example.org"
)

// mailFixture is a fixture that sends codes.
func mailFixture(t *testing.T) *fixture {
	t.Helper()
	return newFixtureWith(t, mfatest.Options{Codes: true})
}

// other is a code that differs from the given one.
func other(code string) string {
	if code == "000000" {
		return "000001"
	}
	return "000000"
}

// part is a member of a response that is an object.
func (r reply) part(name string) map[string]any {
	m, _ := r.body[name].(map[string]any)
	return m
}

// enrolled is a user who gets codes by mail.
func (h *fixture) enrolled(name string) storage.UserID {
	h.T.Helper()
	id := h.User(name, "")
	a := h.app()
	a.begin("vault")
	a.call("/password", "identifier", name, "password", password).at("enroll")
	a.call("/enroll", "method", "email").refused(400, "invalid_request")
	a.call("/enroll", "method", "email", "address", "ada").refused(422, "invalid_identifier")
	a.call("/enroll", "method", "sms", "address", mail).refused(422, "invalid_identifier")
	address := name + "@example.org"
	r := a.call("/enroll", "method", "email", "address", strings.ToUpper(address[:1])+address[1:]).at("enroll")
	e := r.part("enrollment")
	if e["address"] != address || e["resend_after"] != 30.0 || e["secret"] != nil || r.get("delivery") != "sending" {
		h.T.Fatalf("enrolment = %s", r.raw)
	}
	a.call("/enroll", "method", "email", "address", address).refused(429, "too_many_messages")
	code, _ := h.SentCode(address)
	a.call("/enroll/confirm", "exchange_id", e["exchange_id"], "passcode", other(code)).refused(422, "invalid_passcode")
	a.call("/enroll/confirm", "exchange_id", e["exchange_id"], "passcode", code).at("recovery")
	h.Wait(2 * time.Hour)
	return id
}

func TestCodesByMail(t *testing.T) {
	h := mailFixture(t)
	h.enrolled("ada")
	a := h.app()
	a.begin("vault")
	r := a.call("/password", "identifier", "ada", "password", password).at("verify")
	option := r.body["options"].([]any)[0].(map[string]any)
	if option["method"] != "email" || option["address"] != masked || option["text"] != masked || option["sends"] != true || strings.Contains(r.raw, `"`+mail+`","usage`) {
		t.Errorf("option = %v", option)
	}
	a.call("/verify", "method", "email", "passcode", "123456").refused(409, "invalid_exchange")
	r = a.call("/initiate", "method", "email", "authenticator_id", option["authenticator_id"]).at("verify")
	e := r.part("exchange")
	if e["text"] != masked || e["resend_after"] != 30.0 || r.get("delivery") != "sending" {
		t.Errorf("initiation = %s", r.raw)
	}
	if again := a.call("/initiate", "method", "email").refused(429, "too_many_messages"); again.header.Get("Retry-After") != "30" {
		t.Errorf("Retry-After = %q, want 30", again.header.Get("Retry-After"))
	}
	code, _ := h.SentCode(mail)
	for _, tc := range []struct {
		settle func()
		want   string
	}{{func() {}, "sending"}, {func() { h.Deliver(mail, true, h.Now()) }, "sent"}} {
		tc.settle()
		if r := a.call("/delivery", "exchange_id", e["exchange_id"]).at("verify"); r.get("delivery") != tc.want {
			t.Errorf("delivery = %s, want %s", r.raw, tc.want)
		}
	}
	a.call("/delivery").refused(400, "invalid_request")
	a.call("/delivery", "exchange_id", "00000000-0000-0000-0000-000000000000").refused(409, "invalid_exchange")
	stranger := h.app()
	stranger.begin("vault")
	stranger.call("/delivery", "exchange_id", e["exchange_id"]).refused(409, "invalid_exchange")
	a.call("/verify", "method", "email", "exchange_id", e["exchange_id"], "passcode", other(code)).refused(422, "invalid_passcode")
	a.call("/verify", "method", "email", "exchange_id", e["exchange_id"], "passcode", code).at("done")

	h.Wait(time.Minute)
	a = h.app()
	a.begin("vault")
	a.call("/password", "identifier", "ada", "password", password).at("verify")
	e = a.call("/initiate", "method", "email").at("verify").part("exchange")
	code, _ = h.SentCode(mail)
	h.Deliver(mail, false, h.Now())
	if r := a.call("/delivery", "exchange_id", e["exchange_id"]); r.get("delivery") != "failed" {
		t.Errorf("delivery = %s, want failed", r.raw)
	}
	h.Wait(10 * time.Minute)
	a.call("/verify", "method", "email", "exchange_id", e["exchange_id"], "passcode", code).refused(422, "passcode_expired")
}

// No response shows whether a name is a user's who gets codes.
func TestUnknownNamesGetCodesLikeKnownOnes(t *testing.T) {
	h := mailFixture(t)
	id, off := h.enrolled("ada"), false
	h.OK(h.Store.UpdateUser(context.Background(), storage.UserChange{ID: id, MFAEnabled: &off, Now: h.Now()})) // a code may replace the password
	ada := h.app()
	ada.begin("lone")
	known, twin := ada.call("/identify", "identifier", "ada").methods(), ""
	for i := 0; twin == "" && i < 200; i++ {
		a := h.app()
		a.begin("lone")
		if name := fmt.Sprintf("nobody%d", i); a.call("/identify", "identifier", name).methods() == known {
			twin = name
		}
	}
	if twin == "" || !strings.Contains(known, "email:passwordless") {
		t.Fatalf("no invented name has the options %q", known)
	}
	walk := func(name string) []string {
		a := h.app()
		out := []string{shape(a.begin("lone")), shape(a.call("/identify", "identifier", name))}
		for range 6 {
			r := a.call("/initiate", "identifier", name, "method", "email")
			out = append(out, shape(r), r.header.Get("Retry-After"))
			if x := r.part("exchange")["exchange_id"]; x != nil {
				out = append(out, shape(a.call("/delivery", "exchange_id", x)))
				h.Deliver(mail, false, h.Now())
				out = append(out, shape(a.call("/delivery", "exchange_id", x)), shape(a.call("/verify", "identifier", name, "method", "email", "exchange_id", x, "passcode", "12345")))
				for range 2 {
					out = append(out, shape(a.call("/verify", "identifier", name, "method", "email", "exchange_id", x, "passcode", "000000")))
				}
			}
			r = a.call("/initiate", "identifier", name, "method", "email")
			out = append(out, shape(r), r.header.Get("Retry-After"))
			h.Wait(time.Minute)
		}
		return out
	}
	real, invented := walk("ada"), walk(twin)
	if _, n := h.SentCode(mail); n < 4 {
		t.Errorf("%d codes to the user, want those of this test too", n)
	}
	if !slices.Equal(real, invented) {
		for i := range min(len(real), len(invented)) {
			if real[i] != invented[i] {
				t.Errorf("response %d:\nada  %s\n%s %s", i, real[i], twin, invented[i])
			}
		}
	}
}

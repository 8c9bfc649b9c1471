package smtp_test

import (
	"context"
	"crypto/x509"
	"reflect"
	"strings"
	"testing"
	"time"

	"sallyport/mfa/delivery"
	"sallyport/mfa/delivery/smtp"
	"sallyport/mfa/delivery/smtptest"
)

const (
	code      = "31415926"
	recipient = "nora@example.com"
	messageID = "019ca945-0a7b-727f-90b1-46e13dceb0fc"
)

func message() delivery.Outgoing {
	return delivery.Outgoing{ID: messageID, Kind: "mail", Recipient: recipient, Locale: "de", Template: "code",
		Subject: "Ihr Code für Harbour", Text: "Für Sie:\n\n" + code + "\n", HTML: "<p>" + code + "</p>", Data: map[string]string{"code": code}}
}

func now() time.Time { return time.Date(2026, 11, 29, 15, 4, 5, 0, time.UTC) }

func newSender(t *testing.T, s *smtptest.Server, change func(o *smtp.Options)) *smtp.Sender {
	t.Helper()
	o := smtp.Options{Host: s.Host, Port: s.Port, TLS: smtp.StartTLS, CA: s.CA, From: "Harbour Löwe <no-reply@harbour.example>"}
	if change != nil {
		change(&o)
	}
	out, err := smtp.New(o, now)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAMailArrivesAsItWasRendered(t *testing.T) {
	for name, tc := range map[string]struct {
		server smtptest.Options
		change func(o *smtp.Options)
		tls    bool
	}{
		"STARTTLS": {smtptest.Options{}, nil, true},
		"STARTTLS with a password": {smtptest.Options{Username: "harbour", Password: "quiet dawn"},
			func(o *smtp.Options) { o.Username, o.Password = "harbour", "quiet dawn" }, true},
		"implicit TLS with a password": {smtptest.Options{Implicit: true, Username: "harbour", Password: "quiet dawn"},
			func(o *smtp.Options) { o.TLS, o.Username, o.Password = smtp.Implicit, "harbour", "quiet dawn" }, true},
		"plaintext with a password": {smtptest.Options{Plain: true, Username: "harbour", Password: "quiet dawn"},
			func(o *smtp.Options) { o.TLS, o.Username, o.Password = smtp.None, "harbour", "quiet dawn" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := smtptest.New(t, tc.server)
			if err := newSender(t, server, tc.change).Send(t.Context(), message()); err != nil {
				t.Fatal(err)
			}
			all := server.Mails()
			if len(all) != 1 {
				t.Fatalf("%d mails arrived", len(all))
			}
			m := all[0]
			if m.From != "no-reply@harbour.example" || m.To != recipient || m.TLS != tc.tls {
				t.Errorf("the envelope is %+v", m)
			}
			for header, want := range map[string]string{"Message-Id": "<" + messageID + "@harbour.example>", "Auto-Submitted": "auto-generated",
				"Date": "Sun, 29 Nov 2026 15:04:05 +0000", "Subject": "=?UTF-8?q?Ihr_Code_f=C3=BCr_Harbour?=", "To": "<" + recipient + ">",
				"From": "=?utf-8?q?Harbour_L=C3=B6we?= <no-reply@harbour.example>", "X-Mailer": "", "User-Agent": ""} {
				if got := m.Header.Get(header); got != want {
					t.Errorf("%s is %q, want %q", header, got, want)
				}
			}
			if !strings.HasPrefix(m.Header.Get("Content-Type"), "multipart/alternative") {
				t.Errorf("the type is %s", m.Header.Get("Content-Type"))
			}
			if text := strings.ReplaceAll(m.Text, "\r\n", "\n"); strings.TrimSpace(text) != strings.TrimSpace(message().Text) || m.HTML != message().HTML {
				t.Errorf("the texts are %q and %q", m.Text, m.HTML)
			}
		})
	}
}

// A server that repeats what it was sent must not bring that into the reason.
const echo = " <" + recipient + "> " + code

func TestWhatAFailureMeans(t *testing.T) {
	for name, tc := range map[string]struct {
		step, reply string
		change      func(o *smtp.Options)
		plain       bool
		implicit    bool
		want        error
		arrived     int
	}{
		"an unknown recipient": {step: smtptest.To, reply: "550 5.1.1" + echo, want: &delivery.Permanent{Reason: "recipient: 550 5.1.1"}},
		"a refused sender":     {step: smtptest.From, reply: "553" + echo, want: &delivery.Permanent{Reason: "sender: 553"}},
		"refused content":      {step: smtptest.Content, reply: "554 5.7.1" + echo, want: &delivery.Permanent{Reason: "content: 554 5.7.1"}},
		"no mail now":          {step: smtptest.Data, reply: "452 4.3.1" + echo, want: &delivery.Retry{Reason: "data: 452 4.3.1"}},
		"greylisting":          {step: smtptest.To, reply: "451 4.7.1" + echo, want: &delivery.Retry{Reason: "recipient: 451 4.7.1"}},
		"content that waits":   {step: smtptest.Content, reply: "451 4.7.1" + echo, want: &delivery.Retry{Reason: "content: 451 4.7.1"}},
		"no service":           {step: smtptest.Greeting, reply: "554 5.3.2" + echo, want: &delivery.Retry{Reason: "connect: 554 5.3.2"}},
		"busy":                 {step: smtptest.Greeting, reply: "421" + echo, want: &delivery.Retry{Reason: "connect: 421"}},
		"it hangs up at once":  {step: smtptest.Greeting, reply: smtptest.Close, want: &delivery.Retry{Reason: "connect: the connection ended"}},
		"it hangs up later":    {step: smtptest.To, reply: smtptest.Close, want: &delivery.Retry{Reason: "recipient: the connection ended"}},
		"it hangs up instead of confirming": {step: smtptest.Content, reply: smtptest.Close,
			want: &delivery.Unknown{Reason: "the mail server did not confirm"}, arrived: 1},
		"a wrong password": {change: func(o *smtp.Options) { o.Username, o.Password = "harbour", "wrong" },
			want: &delivery.Retry{Reason: "connect: 535 5.7.8"}},
		"no STARTTLS": {plain: true, want: &delivery.Retry{Reason: "connect: the server offers no STARTTLS, or no way to sign in"}},
		"another issuer": {change: func(o *smtp.Options) { o.CA = x509.NewCertPool() },
			want: &delivery.Retry{Reason: "connect: the certificate is not valid for this host"}},
		"another issuer, implicit TLS": {implicit: true, change: func(o *smtp.Options) { o.TLS, o.CA = smtp.Implicit, nil },
			want: &delivery.Retry{Reason: "connect: the certificate is not valid for this host"}},
		"another host": {change: func(o *smtp.Options) { o.Host = "localhost" },
			want: &delivery.Retry{Reason: "connect: the certificate is not valid for this host"}},
		"no server listens": {change: func(o *smtp.Options) { o.Port = 1 }, want: &delivery.Retry{Reason: "connect: no connection"}},
	} {
		t.Run(name, func(t *testing.T) {
			options := smtptest.Options{Plain: tc.plain, Implicit: tc.implicit, Fail: func(step string) string {
				if step == tc.step {
					return tc.reply
				}
				return ""
			}}
			if name == "a wrong password" {
				options.Username, options.Password = "harbour", "quiet dawn"
			}
			server := smtptest.New(t, options)
			same(t, newSender(t, server, tc.change).Send(t.Context(), message()), tc.want)
			if n := len(server.Mails()); n != tc.arrived {
				t.Errorf("%d mails arrived, want %d", n, tc.arrived)
			}
		})
	}
}

// same compares errors of package delivery.
func same(t *testing.T, got, want error) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %T %v, want %T %v", got, got, want, want)
	}
}

func TestASilentServerIsLeft(t *testing.T) {
	for step, want := range map[string]error{
		smtptest.Greeting: &delivery.Retry{Reason: "connect: no response in time"},
		smtptest.To:       &delivery.Retry{Reason: "recipient: no response in time"},
		smtptest.Content:  &delivery.Unknown{Reason: "the mail server did not confirm"},
	} {
		t.Run(step, func(t *testing.T) {
			reached := make(chan struct{}, 1)
			server := smtptest.New(t, smtptest.Options{Fail: func(s string) string {
				if s != step {
					return ""
				}
				reached <- struct{}{}
				return smtptest.Silent
			}})
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-reached
				cancel()
			}()
			same(t, newSender(t, server, nil).Send(ctx, message()), want)
		})
	}
}

func TestARecipientIsOneAddress(t *testing.T) {
	server := smtptest.New(t, smtptest.Options{})
	s := newSender(t, server, nil)
	for _, r := range []string{"", "nora", "Nora <nora@example.com>", "a@example.com, b@example.com", "a@example.com\r\nBcc: b@example.com", "a@example.com>\r\nDATA"} {
		m := message()
		m.Recipient = r
		same(t, s.Send(t.Context(), m), &delivery.Permanent{Reason: "recipient: not an address"})
	}
	m := message()
	m.Subject = "x\r\nBcc: eve@example.com"
	if err := s.Send(t.Context(), m); err == nil && server.Mails()[0].Header.Get("Bcc") != "" {
		t.Error("a subject begins a header")
	}
}

func TestASenderIsAnAddress(t *testing.T) {
	for _, from := range []string{"", "Harbour", "a@b, c@d"} {
		if _, err := smtp.New(smtp.Options{Host: "h", Port: 25, From: from}, now); err == nil {
			t.Errorf("%q is accepted", from)
		}
	}
}

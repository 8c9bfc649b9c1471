package main

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/server"
	"sallyport/mfa"
	"sallyport/mfa/notice"
	"sallyport/storage"
	"sallyport/web/admin"
)

// posted stores a text message, and settles its first lease unless the delivery is nil.
func (o *fixture) posted(template string, d *storage.Delivery) string {
	o.Helper()
	now := time.Now()
	m := storage.Message{ID: storage.MessageID(storage.TimeOrdered(now, rand.Reader)), Kind: notice.SMS, Recipient: "+12025550123", Template: template,
		Locale: "en", Data: map[string]string{"code": "918273"}, CreatedAt: now, NextAt: now.Add(-time.Second), ExpiresAt: now.Add(time.Hour)}
	o.withServer(func(h *server.Server) {
		err := h.Store.Spend(o.Context(), storage.Spend{Now: now, Messages: []storage.Message{m}})
		if d != nil && err == nil {
			if _, err = h.Store.LeaseMessages(o.Context(), storage.Lease{Kind: m.Kind, Now: now, For: time.Minute, Limit: 10}); err == nil {
				d.ID, d.Attempt, d.Now = m.ID, 1, now
				err = h.Store.SettleMessage(o.Context(), *d)
			}
		}
		if err != nil {
			o.Fatal(err)
		}
	})
	return string(m.ID)
}

func TestMessagesAreListedResentAndDropped(t *testing.T) {
	o := newFixture(t)
	o.secrets = append(o.secrets, "918273")
	dead := o.posted(notice.PasswordChanged, &storage.Delivery{Dead: true, Error: "550 \x1b[2J"})
	delivered := o.posted(notice.PasswordChanged, &storage.Delivery{OK: true})
	waits := o.posted(notice.Code, nil)
	for args, want := range map[string][]string{
		"messages list":                                    {waits, delivered, dead},
		"messages list --state dead":                       {dead},
		"messages list --kind sms --limit 2":               {waits, delivered},
		"messages list --before " + delivered:              {dead},
		"messages list --recipient +1-202-555-0123":        {waits, delivered, dead},
		"messages list --recipient alice@example.com":      {},
		"messages list --kind mail --state waiting":        {},
		"messages list --state delivered --kind=sms":       {delivered},
		"messages list --recipient +12025550123 --limit=1": {waits},
	} {
		var list []admin.Message
		o.read(&list, strings.Fields(args)...)
		var got []string
		for _, m := range list {
			got = append(got, string(m.ID))
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s = %v, want %v", args, got, want)
		}
	}
	out := o.must("messages", "list")
	if !strings.Contains(out, "ATTEMPTS") || !strings.Contains(out, `"550 \x1b[2J"`) || strings.Contains(out, "\x1b") || strings.Count(out, "\n") != 4 {
		t.Errorf("list: %q", out)
	}
	out = o.must("messages", "show", dead)
	for _, want := range []string{"state         dead", "recipient     +12025550123", "values        code", "attempts      1"} {
		if !strings.Contains(out, want) {
			t.Errorf("show: %s, want %q in it", out, want)
		}
	}
	if out := o.must("messages", "resend", dead); !strings.HasPrefix(out, "message "+dead+" (") || !strings.HasSuffix(out, " to +12025550123): due now\n") {
		t.Errorf("resend: %q", out)
	}
	if out := o.must("messages", "show", dead); !strings.Contains(out, "state         retrying") {
		t.Errorf("after the resend: %s", out)
	}
	o.must("messages", "drop", "--yes", waits)
	if out := o.must("messages", "show", waits); !strings.Contains(out, "values        erased") || !strings.Contains(out, "last error    dropped") {
		t.Errorf("after the drop: %s", out)
	}
	if n := o.countEvents(mfa.EventMessageResent, "") + o.countEvents(mfa.EventMessageDropped, ""); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
	o.rejects([]refused{
		{"a delivered message", "", cli.ExitFailed, "it was delivered", []string{"messages", "resend", delivered}},
		{"a dropped message", "", cli.ExitFailed, "it was dropped", []string{"messages", "drop", "--yes", waits}},
		{"an unknown message", "", cli.ExitFailed, `message "42": there is no such message`, []string{"messages", "show", "42"}},
		{"another call", "", cli.ExitFailed, "nothing at this address", []string{"messages", "resend", "../users"}},
		{"an unknown state", "", cli.ExitFailed, "there is no such state", []string{"messages", "list", "--state", "late"}},
		{"an unknown kind", "", cli.ExitFailed, "there is no such kind", []string{"messages", "list", "--kind", "fax"}},
		{"a page of nothing", "", cli.ExitUsage, "--limit must be from 1 to 1000", []string{"messages", "list", "--limit", "0"}},
		{"no message", "", cli.ExitUsage, "0 arguments, want 1", []string{"messages", "drop"}},
		{"an unknown verb", "", cli.ExitUsage, "want one of list, show, resend, drop", []string{"messages", "send"}},
	})
	if out := o.must("messages", "help"); !strings.Contains(out, "sallyport messages resend MESSAGE") {
		t.Errorf("help: %s", out)
	}
}

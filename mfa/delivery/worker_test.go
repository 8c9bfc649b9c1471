package delivery_test

import (
	"strings"
	"testing"
	"time"

	"sallyport/mfa/delivery"
	"sallyport/mfa/delivery/smtptest"
	"sallyport/mfa/notice"
	"sallyport/storage"
)

func TestAMessageIsSentAndLosesItsData(t *testing.T) {
	onBoth(t, func(f *fixture) {
		server := smtptest.New(f, smtptest.Options{})
		got, sms := f.hook(nil)
		f.run(map[string]delivery.Sender{notice.Mail: f.mail(server), notice.SMS: sms})
		mail, text := f.post(notice.Mail), f.post(notice.SMS)
		f.await("mail delivered", 1)
		f.await("sms delivered", 1)
		all := server.Mails()
		if len(all) != 1 || all[0].To != recipient || !strings.Contains(all[0].Text, code) || !strings.Contains(all[0].HTML, code) ||
			!strings.Contains(all[0].Header.Get("Message-Id"), string(mail)) {
			t.Errorf("the server has %+v", all)
		}
		if got.count(text) != 1 {
			t.Errorf("the receiver has %v", got.got)
		}
		for _, id := range []storage.MessageID{mail, text} {
			if m := f.read(id); m.DeliveredAt.IsZero() || m.Data != nil || m.LastError != "" {
				t.Errorf("the message is %+v", m)
			}
		}
	})
}

// Two servers send at the same time: each message arrives once.
func TestServersShareTheOutbox(t *testing.T) {
	onBoth(t, func(f *fixture) {
		const n = 60
		server := smtptest.New(f, smtptest.Options{})
		got, sms := f.hook(nil)
		var texts []storage.MessageID
		for range n {
			f.post(notice.Mail)
			texts = append(texts, f.post(notice.SMS))
		}
		for range 2 {
			f.run(map[string]delivery.Sender{notice.Mail: f.mail(server), notice.SMS: sms})
		}
		f.await("mail delivered", n)
		f.await("sms delivered", n)
		seen := map[string]bool{}
		for _, m := range server.Mails() {
			seen[m.Header.Get("Message-Id")] = true
		}
		if all := len(server.Mails()); all != n || len(seen) != n {
			t.Errorf("%d mails with %d IDs arrived, want %d", all, len(seen), n)
		}
		for _, id := range texts {
			if got.count(id) != 1 {
				t.Errorf("a text message arrived %d times", got.count(id))
			}
		}
	})
}

// A server leases messages and dies before it records the outcome: a mail is not sent again,
// a message to a receiver that compares IDs is, under the same ID.
func TestACrashBetweenSendingAndRecording(t *testing.T) {
	onBoth(t, func(f *fixture) {
		server := smtptest.New(f, smtptest.Options{})
		got, sms := f.hook(nil)
		senders := map[string]delivery.Sender{notice.Mail: f.mail(server), notice.SMS: sms}
		mail, text := f.post(notice.Mail), f.post(notice.SMS)
		for kind, sender := range senders {
			leased, err := f.store.LeaseMessages(f.Context(), storage.Lease{Kind: kind, Now: f.Now(), For: time.Minute, Limit: 8})
			f.ok(err)
			m := leased[0]
			f.ok(sender.Send(f.Context(), delivery.Outgoing{ID: m.ID, Kind: m.Kind, Recipient: m.Recipient, Subject: "x", Text: code, HTML: code}))
		}
		f.run(senders)
		other := f.post(notice.Mail) // the lease is not over
		f.await("mail delivered", 1)
		if m := f.read(mail); !m.DeadAt.IsZero() || m.Attempts != 1 {
			t.Errorf("a leased message was touched: %+v", m)
		}
		f.Advance(time.Minute)
		f.await("mail unknown", 1)
		f.await("sms delivered", 1)
		if m := f.read(mail); m.DeadAt.IsZero() || m.LastError != "outcome unknown: the server stopped while sending" {
			t.Errorf("the mail is %+v", m)
		}
		f.Advance(time.Hour)
		last := f.post(notice.Mail)
		f.await("mail delivered", 2)
		if n := len(server.Mails()); n != 3 || got.count(text) != 2 || f.read(text).Attempts != 2 {
			t.Errorf("%d mails of %s, %s, %s arrived, and the text message %d times", n, mail, other, last, got.count(text))
		}
	})
}

func TestGreylistingDelaysAMail(t *testing.T) {
	onBoth(t, func(f *fixture) {
		refuse := 2
		server := smtptest.New(f, smtptest.Options{Fail: func(step string) string {
			if step != smtptest.To || refuse == 0 {
				return ""
			}
			refuse--
			return "451 4.7.1 <" + recipient + "> try " + code + " later"
		}})
		f.run(map[string]delivery.Sender{notice.Mail: f.mail(server)})
		id := f.post(notice.Mail)
		f.await("mail retried", 1)
		m := f.read(id)
		if wait := m.NextAt.Sub(f.Now()); m.LastError != "recipient: 451 4.7.1" || wait < 3*time.Second || wait > 5*time.Second {
			t.Errorf("it waits %v for %q", wait, m.LastError)
		}
		f.Advance(5 * time.Second)
		f.await("mail retried", 2)
		if wait := f.read(id).NextAt.Sub(f.Now()); wait < 7*time.Second || wait > 10*time.Second {
			t.Errorf("then it waits %v", wait)
		}
		f.Advance(10 * time.Second)
		f.await("mail delivered", 1)
		if n := len(server.Mails()); n != 1 {
			t.Errorf("%d mails arrived", n)
		}
	})
}

func TestWhatIsFinalIsGivenUp(t *testing.T) {
	f := newFixture(t, "")
	server := smtptest.New(f, smtptest.Options{Fail: func(step string) string {
		if step == smtptest.Content {
			return "550 5.7.1 no " + code + " for " + recipient
		}
		return ""
	}})
	got, sms := f.hook(func(int) int { return 422 })
	f.run(map[string]delivery.Sender{notice.Mail: f.mail(server), notice.SMS: sms})
	mail, text := f.post(notice.Mail), f.post(notice.SMS)
	f.await("mail refused", 1)
	f.await("sms refused", 1)
	f.Advance(5 * time.Minute)
	last := f.post(notice.SMS)
	f.await("sms refused", 2)
	for id, want := range map[storage.MessageID]string{mail: "content: 550 5.7.1", text: "HTTP 422"} {
		if m := f.read(id); m.DeadAt.IsZero() || m.LastError != want || m.Attempts != 1 || m.Data["code"] != code {
			t.Errorf("the message is %+v", m)
		}
	}
	if got.count(text) != 1 || got.count(last) != 1 {
		t.Errorf("the receiver has %v", got.got)
	}
}

func TestAMailThatWasNotConfirmedIsNotSentAgain(t *testing.T) {
	f := newFixture(t, "")
	server := smtptest.New(f, smtptest.Options{Fail: func(step string) string {
		if step == smtptest.Content {
			return smtptest.Close
		}
		return ""
	}})
	f.run(map[string]delivery.Sender{notice.Mail: f.mail(server)})
	id := f.post(notice.Mail)
	f.await("mail unknown", 1)
	f.Advance(5 * time.Minute)
	f.post(notice.Mail)
	f.await("mail unknown", 2)
	if m := f.read(id); m.DeadAt.IsZero() || m.Attempts != 1 || m.LastError != "outcome unknown: the mail server did not confirm" {
		t.Errorf("the message is %+v", m)
	}
	if n := len(server.Mails()); n != 2 {
		t.Errorf("%d mails arrived, want one of each message", n)
	}
}

// A provider that is down loses no message that is still wanted when it is back.
func TestAProviderGoesAwayAndComesBack(t *testing.T) {
	onBoth(t, func(f *fixture) {
		status := make(chan int, 100)
		got, sms := f.hook(func(int) int { return <-status })
		f.run(map[string]delivery.Sender{notice.SMS: sms})
		early := f.post(notice.SMS)
		f.Advance(time.Second)
		for i := range 6 {
			status <- 503
			f.await("sms retried", i+1)
			f.Advance(f.read(early).NextAt.Sub(f.Now()))
		}
		late := f.post(notice.SMS)
		status <- 204
		status <- 204
		f.await("sms delivered", 2)
		if got.count(early) != 7 || got.count(late) != 1 {
			t.Errorf("the receiver has %v", got.got)
		}
	})
}

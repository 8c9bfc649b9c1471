package delivery_test

import (
	"context"
	"crypto/x509"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/mfa/delivery"
	"sallyport/mfa/delivery/smtp"
	"sallyport/mfa/delivery/smtptest"
	"sallyport/mfa/notice"
	"sallyport/storage"
)

func TestAMessageExpires(t *testing.T) {
	onBoth(t, func(f *fixture) {
		got, sms := f.hook(func(int) int { return 503 })
		f.run(map[string]delivery.Sender{notice.SMS: sms})
		tried, mail := f.post(notice.SMS), f.post(notice.Mail)
		f.await("sms retried", 1)
		f.Advance(10*time.Minute - 5*time.Second) // the next attempt fails too, and another one would be late
		f.await("sms expired", 1)
		if m := f.read(tried); m.DeadAt.IsZero() || m.LastError != "expired: HTTP 503" || got.count(tried) != 2 {
			t.Errorf("after %d attempts the message is %+v", got.count(tried), m)
		}
		f.Advance(5 * time.Second)
		f.run(nil) // gives up what has expired as it starts
		f.await("mail expired", 1)
		if m := f.read(mail); m.DeadAt.IsZero() || m.LastError != "expired" || m.Attempts != 0 {
			t.Errorf("a message without a sender is %+v", m)
		}
	})
}

func TestARetryIsAsLateAsTheReceiverAsks(t *testing.T) {
	for name, tc := range map[string]struct {
		after, least, most time.Duration
	}{
		"it asks for nothing":  {0, 3 * time.Second, 5 * time.Second},
		"it asks for a second": {time.Second, 3 * time.Second, 5 * time.Second},
		"it asks for a minute": {time.Minute, time.Minute, time.Minute},
		"it asks for too much": {9 * time.Hour, time.Hour, time.Hour},
		"it asks for the past": {-time.Hour, 3 * time.Second, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, "")
			f.run(map[string]delivery.Sender{notice.SMS: fixed{&delivery.Retry{Reason: "HTTP 503", After: tc.after}}})
			id := storage.MessageID("019ca945-0a7b-727f-90b1-46e13dceb0fc")
			f.ok(f.store.Spend(f.Context(), storage.Spend{Now: f.Now(), Messages: []storage.Message{{ID: id, Kind: notice.SMS, Recipient: phone,
				Template: notice.Code, Data: map[string]string{"code": code, "minutes": "10", "product": "Harbour"}, CreatedAt: f.Now(), NextAt: f.Now()}}}))
			f.await("sms retried", 1)
			if wait := f.read(id).NextAt.Sub(f.Now()); wait < tc.least || wait > tc.most {
				t.Errorf("it waits %v", wait)
			}
		})
	}
}

// fixed is a sender with one result.
type fixed struct{ err error }

func (s fixed) Send(context.Context, delivery.Outgoing) error { return s.err }
func (fixed) Repeatable() bool                                { return false }

func TestAnUnnamedErrorIsNotRecorded(t *testing.T) {
	f := newFixture(t, "")
	f.run(map[string]delivery.Sender{notice.SMS: fixed{&echo{}}})
	id := f.post(notice.SMS)
	f.await("sms retried", 1)
	if m := f.read(id); m.LastError != "failed" {
		t.Errorf("the message is %+v", m)
	}
}

type echo struct{}

func (*echo) Error() string { return "no " + code + " for " + phone }

func TestAMessageThatCannotBeRenderedIsGivenUp(t *testing.T) {
	f := newFixture(t, "")
	got, sms := f.hook(nil)
	f.run(map[string]delivery.Sender{notice.SMS: sms})
	id := storage.MessageID("019ca945-0a7b-727f-90b1-46e13dceb0fc")
	f.ok(f.store.Spend(f.Context(), storage.Spend{Now: f.Now(), Messages: []storage.Message{{ID: id, Kind: notice.SMS, Recipient: phone,
		Template: notice.Code, Data: map[string]string{"code": code}, CreatedAt: f.Now(), NextAt: f.Now()}}}))
	f.await("sms refused", 1)
	if m := f.read(id); m.DeadAt.IsZero() || !strings.HasPrefix(m.LastError, "render message code.sms") || got.count(id) != 0 {
		t.Errorf("the message is %+v", m)
	}
}

func TestACertificateThatDoesNotVerifyGetsNoMail(t *testing.T) {
	f := newFixture(t, "")
	server := smtptest.New(f, smtptest.Options{})
	sender, err := smtp.New(smtp.Options{Host: server.Host, Port: server.Port, TLS: smtp.StartTLS, CA: x509.NewCertPool(), From: "no-reply@harbour.example"}, f.Now)
	f.ok(err)
	f.run(map[string]delivery.Sender{notice.Mail: sender})
	id := f.post(notice.Mail)
	f.await("mail retried", 1)
	const reason = "connect: the certificate is not valid for this host"
	if m := f.read(id); m.LastError != reason || !strings.Contains(f.log.String(), reason) || len(server.Mails()) != 0 {
		t.Errorf("the message is %+v: %s", m, f.log.String())
	}
}

// A worker that is stopped finishes what it sends, and leases no more.
func TestAStoppedWorkerFinishes(t *testing.T) {
	onBoth(t, func(f *fixture) {
		arrived, release := make(chan struct{}, 10), make(chan struct{})
		got, sms := f.hook(func(int) int {
			arrived <- struct{}{}
			<-release
			return 204
		})
		stop := f.run(map[string]delivery.Sender{notice.SMS: sms})
		sending := f.post(notice.SMS)
		<-arrived
		stopped := make(chan struct{})
		go func() {
			stop()
			close(stopped)
		}()
		close(release)
		<-stopped
		if m := f.read(sending); m.DeliveredAt.IsZero() || got.count(sending) != 1 {
			t.Errorf("the message is %+v", m)
		}
		if next := f.post(notice.SMS); f.read(next).Attempts != 0 {
			t.Error("a stopped worker leases")
		}
	})
}

// A receiver that hangs takes the places of its kind, and delays no other kind.
func TestASlowReceiverDelaysNoOtherKind(t *testing.T) {
	f := newFixture(t, "")
	release := make(chan struct{})
	arrived := make(chan struct{}, 100)
	got, sms := f.hook(func(int) int {
		arrived <- struct{}{}
		<-release
		return 204
	})
	server := smtptest.New(f, smtptest.Options{})
	const places, n = 8, 20
	var texts []storage.MessageID
	for range n {
		texts = append(texts, f.post(notice.SMS))
	}
	f.run(map[string]delivery.Sender{notice.Mail: f.mail(server), notice.SMS: sms})
	for range places {
		<-arrived
	}
	f.post(notice.Mail)
	f.await("mail delivered", 1)
	leased := 0
	for _, id := range texts {
		leased += f.read(id).Attempts
	}
	if leased != places {
		t.Errorf("%d messages are leased, want %d", leased, places)
	}
	close(release)
	f.await("sms delivered", n)
	for _, id := range texts {
		if got.count(id) != 1 {
			t.Errorf("a message arrived %d times", got.count(id))
		}
	}
}

func TestTheLogNamesKindsThatAreNotSent(t *testing.T) {
	f := newFixture(t, "")
	_, sms := f.hook(nil)
	senders := map[string]delivery.Sender{notice.SMS: sms}
	if w := f.worker(senders); !w.Sends(notice.SMS) || w.Sends(notice.Mail) {
		t.Error("Sends does not name the kinds")
	}
	f.run(senders)
	f.post(notice.SMS)
	f.await("sms delivered", 1)
	if log := f.log.String(); !strings.Contains(log, `"kind":"mail"`) || strings.Contains(log, `they expire","kind":"sms"`) {
		t.Errorf("the log is %s", log)
	}
}

func TestAWokenWorkerReadsTheOutbox(t *testing.T) {
	f := newFixture(t, "")
	_, sms := f.hook(nil)
	w := f.polling(map[string]delivery.Sender{notice.SMS: sms}, time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	for i := range 3 {
		f.post(notice.SMS)
		w.Wake()
		f.await("sms delivered", i+1)
	}
	cancel()
	f.ok(<-ended)
}

// A message that another one was copied over is not sent, and those beside it are.
func TestAMessageThatDoesNotOpenDelaysNoOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outbox.db")
	f := newFixture(t, "sqlite:"+path)
	got, sms := f.hook(nil)
	moved, beside := f.post(notice.SMS), f.post(notice.SMS)
	db, err := sql.Open("sqlite", path)
	f.ok(err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), "UPDATE outbox SET sealed = (SELECT sealed FROM outbox WHERE id = ?) WHERE id = ?", string(beside), string(moved))
	f.ok(err)
	f.run(map[string]delivery.Sender{notice.SMS: sms})
	f.await("sms delivered", 1)
	f.await("sms retried", 1)
	if m := f.read(moved); got.count(moved) != 0 || got.count(beside) != 1 || m.LastError != "the stored values do not open" || !m.DeadAt.IsZero() {
		t.Errorf("the receiver has %v, and the message is %+v", got.got, m)
	}
}

package delivery

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"time"

	"sallyport/mfa/notice"
	"sallyport/storage"
)

const (
	firstPause   = 5 * time.Second
	longestPause = 10 * time.Minute // between attempts, unless the receiver asks for more
	longestAsked = time.Hour

	settleTries = 5
	settlePause = 100 * time.Millisecond // doubled after each try
)

// outcomeUnknown is the reason of messages that were given up because they may have been sent.
const outcomeUnknown = "outcome unknown: "

// deliver sends a leased message and records the outcome.
func (w *Worker) deliver(ctx context.Context, sender Sender, m storage.Message) {
	var err error
	switch {
	case m.Interrupted && !sender.Repeatable():
		err = &Unknown{"the server stopped while sending"}
	case m.Broken:
		err = &Retry{Reason: "the stored values do not open"} // perhaps once this server has every key
	default:
		err = w.send(ctx, sender, m)
	}
	d := storage.Delivery{ID: m.ID, Attempt: m.Attempts}
	result := w.judge(&d, m, sender, err)
	if err := w.settle(ctx, d); err != nil {
		if errors.Is(err, storage.ErrConflict) {
			return // dropped, or expired, meanwhile
		}
		w.log.Error("the outcome of a message is not recorded", "id", string(m.ID), "result", result, "error", err)
		return
	}
	w.report(m, result, d.Error)
}

// send renders and sends a message. One of the server to itself has no text.
func (w *Worker) send(ctx context.Context, sender Sender, m storage.Message) error {
	var c notice.Content
	if slices.Contains(notice.Kinds(), m.Kind) {
		var err error
		if c, err = w.renderer.Render(m.Kind, m.Template, m.Locale, m.Data); err != nil {
			return &Permanent{err.Error()}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, w.o.Timeout)
	defer cancel()
	return sender.Send(ctx, Outgoing{ID: m.ID, CreatedAt: m.CreatedAt, Kind: m.Kind, Recipient: m.Recipient, Locale: m.Locale, Template: m.Template,
		Subject: c.Subject, Text: c.Text, HTML: c.HTML, Data: m.Data})
}

// judge completes the outcome of an attempt.
func (w *Worker) judge(d *storage.Delivery, m storage.Message, sender Sender, err error) (result string) {
	d.Now = w.now()
	if err == nil {
		d.OK = true
		return Delivered
	}
	var after time.Duration
	var permanent *Permanent
	var unknown *Unknown
	var retry *Retry
	switch {
	case errors.As(err, &permanent):
		d.Dead, d.Error = true, permanent.Reason
		return Refused
	case errors.As(err, &unknown):
		d.Error = outcomeUnknown + unknown.Reason
		if !sender.Repeatable() {
			d.Dead = true
			return Uncertain
		}
	case errors.As(err, &retry):
		d.Error, after = retry.Reason, retry.After
	default:
		d.Error = "failed" // any other text may quote the receiver
	}
	d.NextAt = d.Now.Add(max(w.pause(m.Attempts), min(after, longestAsked)))
	if !m.ExpiresAt.IsZero() && !d.NextAt.Before(m.ExpiresAt) {
		d.Dead, d.NextAt, d.Error = true, time.Time{}, "expired: "+d.Error
		return Expired
	}
	return Retried
}

// pause returns how long to wait after attempt n: twice as long every time, less a random
// part, so that messages that failed together do not come back together.
func (w *Worker) pause(n int) time.Duration {
	d := firstPause
	for i := 1; i < n && d < longestPause; i++ {
		d *= 2
	}
	d = min(d, longestPause)
	var b [8]byte
	if _, err := io.ReadFull(w.random, b[:]); err != nil {
		return d
	}
	return d - time.Duration(binary.BigEndian.Uint64(b[:])%uint64(d/4))
}

// settle records an outcome. It tries again, because a message whose outcome is lost counts
// as one that may have been sent.
func (w *Worker) settle(ctx context.Context, d storage.Delivery) error {
	pause := settlePause
	for try := 1; ; try++ {
		err := w.store.SettleMessage(ctx, d)
		if err == nil || errors.Is(err, storage.ErrConflict) || try == settleTries {
			return err
		}
		<-time.After(pause)
		pause *= 2
	}
}

package server_test

import (
	"crypto/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/servertest"
	"sallyport/mfa"
	"sallyport/mfa/notice"
	"sallyport/provider/apikeys"
	"sallyport/storage"
	"sallyport/web/admin"
)

// post stores a message.
func (c adminWalk) post(kind, template, recipient string) storage.MessageID {
	c.Helper()
	now := time.Now()
	m := storage.Message{ID: storage.MessageID(storage.TimeOrdered(now, rand.Reader)), Kind: kind, Recipient: recipient, Template: template, Locale: "de",
		Data: map[string]string{"code": "918273", "product": "Harbour"}, CreatedAt: now, NextAt: now, ExpiresAt: now.Add(time.Hour)}
	if err := c.Server.Store.Spend(c.Context(), storage.Spend{Now: now, Messages: []storage.Message{m}}); err != nil {
		c.Fatal(err)
	}
	return m.ID
}

// end leases the due messages of a kind and settles one.
func (c adminWalk) end(kind string, d storage.Delivery) {
	c.Helper()
	d.Now, d.Attempt = time.Now(), 1
	_, err := c.Server.Store.LeaseMessages(c.Context(), storage.Lease{Kind: kind, Now: d.Now, For: time.Minute, Limit: 100})
	if err == nil {
		err = c.Server.Store.SettleMessage(c.Context(), d)
	}
	if err != nil {
		c.Fatal(err)
	}
}

func (c adminWalk) messageWalk() {
	c.Helper()
	dead := c.post("mail", notice.PasswordChanged, "quinn@example.com")
	c.end("mail", storage.Delivery{ID: dead, Dead: true, Error: "550 no such mailbox"})
	waits := c.post("sms", notice.Code, "+12025550123")
	for query, want := range map[string][]storage.MessageID{
		"?limit=2": {waits, dead}, "?state=dead": {dead}, "?state=waiting&kind=sms": {waits}, "?recipient=Quinn%40example.com": {dead},
		"?state=delivered": {}, "?limit=1&before=" + string(waits): {dead}, "?limit=1": {waits},
	} {
		var page admin.Messages
		c.Call("GET", "/messages"+query, nil).Decode(200, &page)
		var got []storage.MessageID
		for _, m := range page.Messages {
			got = append(got, m.ID)
		}
		if !slices.Equal(got, want) || (page.Next != "") != strings.Contains(query, "limit") {
			c.Errorf("messages%s = %+v, want %v", query, page, want)
		}
	}
	var m admin.Message
	shown := c.Call("GET", "/messages/"+string(dead), nil)
	shown.Decode(200, &m)
	if m.State != storage.MessageDead || m.LastError != "550 no such mailbox" || m.Attempts != 1 || m.Locale != "de" || m.DeadAt == nil || m.NextAt != nil ||
		strings.Join(m.Values, " ") != "code product" || strings.Contains(string(shown.Raw), "918273") || strings.Contains(string(shown.Raw), "Harbour") {
		c.Errorf("message = %s", shown.Raw)
	}
	if d := c.Call("POST", "/messages/"+string(dead)+"/resend", nil).Done(200, "due now"); d.Message != dead {
		c.Errorf("resent = %+v", d)
	}
	if e := c.Newest(mfa.EventMessageResent); e.Detail["message"] != string(dead) || e.Actor != "admin" || e.UserAgent != "console" {
		c.Errorf("event = %+v", e)
	}
	c.Call("POST", "/messages/"+string(waits)+"/drop", nil).Done(200, "dropped")
	c.Call("GET", "/messages/"+string(waits), nil).Decode(200, &m)
	if m.State != storage.MessageDead || !m.Erased || m.LastError != storage.MessageDropped || c.Newest(mfa.EventMessageDropped).Detail["message"] != string(waits) {
		c.Errorf("dropped = %+v", m)
	}
}

func TestMessagesInAnotherStateAreRefused(t *testing.T) {
	c := adminWalk{servertest.NewAdminAPI(t)}
	delivered := c.post("mail", notice.PasswordChanged, "alice@example.com")
	c.end("mail", storage.Delivery{ID: delivered, OK: true})
	dropped, sending := c.post("sms", notice.Code, "+12025550123"), c.post("mail", notice.Code, "alice@example.com")
	c.Call("POST", "/messages/"+string(dropped)+"/drop", nil).Done(200, "dropped")
	other := c.post("mail", notice.Code, "alice@example.com")
	c.end("mail", storage.Delivery{ID: other, Dead: true})
	for _, action := range []string{"/resend", "/drop"} {
		c.Call("POST", "/messages/"+string(delivered)+action, nil).Refused(409, "conflict", "it was delivered")
		c.Call("POST", "/messages/"+string(dropped)+action, nil).Refused(409, "conflict", "it was dropped")
		c.Call("POST", "/messages/"+string(sending)+action, nil).Refused(409, "conflict", "it is being sent")
		c.Call("POST", "/messages/none"+action, nil).Refused(404, "not_found", "no such message")
		c.Call("POST", "/messages/"+string(other)+action, map[string]any{"reason": "x"}).Refused(400, "invalid_request", "there is no such key; none belongs here")
	}
	c.Call("GET", "/messages/none", nil).Refused(404, "not_found", "no such message")
	for query, want := range map[string]string{"state=late": "state: there is no such state", "kind=fax": "kind: there is no such kind", "before=x": "before: must be an id",
		"limit=0": "limit: must be from 1 to 1000", "colour=red": "colour: there is no such parameter"} {
		c.Call("GET", "/messages?"+query, nil).Refused(400, "invalid_request", want)
	}
	reads, _ := c.NewAPIKey(apikeys.Draft{Name: "reads", Dialects: []string{"admin"}, Verbs: []string{"read"}})
	writes, _ := c.NewAPIKey(apikeys.Draft{Name: "writes", Dialects: []string{"admin"}, Verbs: []string{"write"}})
	c.Key = reads
	c.Call("GET", "/messages/"+string(other), nil).Decode(200, nil)
	c.Call("POST", "/messages/"+string(other)+"/resend", nil).Refused(403, "not_allowed", "the verb write")
	c.Key = writes
	c.Call("GET", "/messages", nil).Refused(403, "not_allowed", "the verb read")
	c.Call("POST", "/messages/"+string(other)+"/resend", nil).Done(200, "due now")
}

package provider

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/provider/clientdocument"
	"sallyport/storage"
)

func TestWhichDocumentsAreFetched(t *testing.T) {
	open := func(h *fixture, s *publisher) error {
		_, err := h.p.Begin(h.ctx, Params{Query: params(storage.ClientID(s.URL+"/client.json"), "redirect_uri", editorCallback)}, h.visit, nil)
		return err
	}
	t.Run("none, by default", func(t *testing.T) {
		h := newFixture(t)
		site := h.documents(clientdocument.Options{}, loopbackNetwork)
		o := h.p.options
		o.Documents = nil
		var err error
		h.p, err = New(h.store, h.keyring, h.verifier, h.sessions, h.journal, h.now, rand.Reader, o)
		h.ok(err)
		if err := open(h, site); !isPage(err, "client_id") || site.called() != 0 || strings.Contains(string(h.p.Discovery().Body), "client_id_metadata_document") {
			t.Errorf("%v, %d calls", err, site.called())
		}
	})
	t.Run("none in the operator's network", func(t *testing.T) {
		h := newFixture(t)
		site := h.documents(clientdocument.Options{})
		if err := open(h, site); !isPage(err, "client_id") || site.called() != 0 {
			t.Errorf("%v, %d calls", err, site.called())
		}
	})
	t.Run("those of the hosts that are listed", func(t *testing.T) {
		h := newFixture(t)
		site := h.documents(clientdocument.Options{Hosts: []string{"editor.example"}}, loopbackNetwork)
		if err := open(h, site); !isPage(err, "client_id") || site.called() != 0 {
			t.Errorf("%v, %d calls", err, site.called())
		}
		h.p.clients.With(clientdocument.New(h.p.options.Fetcher, h.now, clientdocument.Options{Hosts: []string{strings.TrimPrefix(site.URL, "https://")}, Scopes: []string{"openid"}}))
		h.ok(open(h, site))
	})
	t.Run("few for one caller", func(t *testing.T) {
		h := newFixture(t)
		site := h.documents(clientdocument.Options{}, loopbackNetwork)
		left := 3
		h.p.options.Admit = func(mfa.Caller, string, int) time.Duration {
			if left--; left < 0 {
				return time.Minute
			}
			return 0
		}
		for i := range 6 {
			_, _ = h.p.Begin(h.ctx, Params{Query: params(storage.ClientID(fmt.Sprintf("%s/%d", site.URL, i)), "redirect_uri", "https://no.example/")}, h.visit, nil)
		}
		if n := site.called(); n != 3 {
			t.Errorf("%d calls, want 3", n)
		}
	})
	t.Run("not by pages that name a client, and a registered client comes first", func(t *testing.T) {
		h := newFixture(t)
		site := h.documents(clientdocument.Options{}, loopbackNetwork)
		id := storage.ClientID(site.URL + "/client.json")
		h.p.Home(h.ctx, id)
		h.client(id, func(c *storage.Client) { c.Name = "Registered" })
		h.ok(h.p.Poll(h.ctx))
		if c, err := h.p.clients.Described(h.ctx, id, nil); err != nil || c.Name != "Registered" || site.called() != 0 {
			t.Errorf("client = %+v (%v), %d calls", c, err, site.called())
		}
	})
}

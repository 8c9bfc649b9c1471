package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"sallyport/storage"
)

// clientCommand is an operator's work on clients, directly on the database.
func clientCommand(ctx context.Context, p *program, args []string) error {
	return p.group(ctx, "client", "the OAuth clients; they are made and changed by sallyport apply", []command{
		{"list", "", "all clients", clientList},
		{"show", "CLIENT", "one client with its settings", clientShow},
		{"delete", "CLIENT", "remove a client with its tokens and consents", clientDelete},
		{"rotate-secret", "CLIENT --out FILE", "add a second secret; --finish removes the old one", clientRotate},
	}, args)
}

// clientView is a client without its secrets: only how many are good.
type clientView struct {
	storage.Client
	Secrets int `json:"secrets"`
}

func newClientView(c storage.Client) clientView {
	v := clientView{Client: c, Secrets: len(c.SecretHashes)}
	v.Client.SecretHashes = nil
	return v
}

func (v clientView) kind() string {
	switch {
	case v.Native:
		return "native"
	case v.Public:
		return "public"
	}
	return "confidential"
}

func (v clientView) state() string {
	if v.Disabled {
		return "disabled"
	}
	if v.Secrets > 1 {
		return "active, secret being rotated"
	}
	return "active"
}

func clientList(ctx context.Context, p *program, args []string) error {
	d, err := p.desk(ctx, p.flags("client list", "all clients", "[flags]"), args, 0)
	if err != nil {
		return err
	}
	defer d.close()
	all, err := d.store.ListClients(ctx)
	if err != nil {
		return err
	}
	views := []clientView{}
	for _, c := range all {
		views = append(views, newClientView(c))
	}
	return d.answer(views, func(w io.Writer) {
		fmt.Fprintln(w, "CLIENT\tNAME\tKIND\tMFA\tSTATE\tCHANGED")
		for _, v := range views {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", v.ID, shownText(v.Name), v.kind(), v.MFA, v.state(), stamp(v.UpdatedAt))
		}
	})
}

// theClient is the client a verb was told about.
func (d *desk) theClient(ctx context.Context, id string) (storage.Client, error) {
	c, err := d.clients.Client(ctx, storage.ClientID(id))
	return c, refusal(err, fmt.Sprintf("client %q", id))
}

func clientShow(ctx context.Context, p *program, args []string) error {
	f := p.flags("client show", "one client with its settings; secrets are not shown", "CLIENT [flags]")
	d, err := p.desk(ctx, f, args, 1)
	if err != nil {
		return err
	}
	defer d.close()
	c, err := d.theClient(ctx, f.Arg(0))
	if err != nil {
		return err
	}
	v := newClientView(c)
	return d.answer(v, func(w io.Writer) {
		fmt.Fprintf(w, "client_id\t%s\n", c.ID)
		for _, x := range clientDifferences(storage.Client{}, v.Client) {
			fmt.Fprintf(w, "%s\t%s\n", x.Key, shownValue(x.To))
		}
		fmt.Fprintf(w, "secrets\t%d\n", v.Secrets)
		fmt.Fprintf(w, "created\t%s\nchanged\t%s\n", stamp(c.CreatedAt), stamp(c.UpdatedAt))
	})
}

func clientDelete(ctx context.Context, p *program, args []string) error {
	f := p.flags("client delete", "remove a client", "CLIENT [flags]", "Its tokens, codes and the consents given to it go too.")
	d, err := p.desk(ctx, f, args, 1)
	if err != nil {
		return err
	}
	defer d.close()
	id := storage.ClientID(f.Arg(0))
	if err := d.clients.Delete(ctx, d.visit, id); err != nil {
		return refusal(err, fmt.Sprintf("client %q", id))
	}
	return d.did(did{Client: id, Done: "deleted"}, "client "+string(id))
}

func clientRotate(ctx context.Context, p *program, args []string) error {
	f := p.flags("client rotate-secret", "give a client another secret without an outage", "CLIENT --out FILE | --finish",
		"First, with --out: a new secret is made and written to a new file that only its owner can\n"+
			"read. From then on both are good. Give the new one to the client, and write it into the\n"+
			"desired state. Then, with --finish: the old one is worthless.")
	out := f.String("out", "", "new `file` for the new secret; - is standard output")
	finish := f.Bool("finish", false, "remove the old secret")
	d, err := p.desk(ctx, f, args, 1)
	if err != nil {
		return err
	}
	defer d.close()
	if (*out == "") != *finish {
		return usageError{"client rotate-secret: want either --out FILE or --finish"}
	}
	id := storage.ClientID(f.Arg(0))
	whom := fmt.Sprintf("client %q", id)
	if *finish {
		if err := d.clients.FinishRotation(ctx, d.visit, id); err != nil {
			return refusal(err, whom)
		}
		return d.did(did{Client: id, Done: "only the newest secret is good"}, "client "+string(id))
	}
	if err := d.addSecret(ctx, id, *out); err != nil {
		return refusal(err, whom)
	}
	if *out == "-" { // the secret is all that goes there
		return nil
	}
	return d.did(did{Client: id, Done: "the secret in the new file is good beside the old one; end with --finish"}, "client "+string(id))
}

// addSecret writes the secret down before it counts: the other way round it could be
// lost. A secret that does not count is taken away again.
func (d *desk) addSecret(ctx context.Context, id storage.ClientID, out string) error {
	secret, err := d.clients.NewSecret()
	if err != nil {
		return err
	}
	if out == "-" {
		if err := d.clients.AddSecret(ctx, d.visit, id, secret); err != nil {
			return err
		}
		_, err := io.Copy(d.p.out, strings.NewReader(secret+"\n"))
		return err
	}
	if err := writeNew(out, []byte(secret+"\n")); err != nil {
		return err
	}
	if err := d.clients.AddSecret(ctx, d.visit, id, secret); err != nil {
		return errors.Join(err, os.Remove(out))
	}
	return nil
}

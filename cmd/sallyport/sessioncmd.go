package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// sessionCommand is an operator's work on who is signed in, directly on the database.
func sessionCommand(ctx context.Context, p *program, args []string) error {
	return p.group(ctx, "session", "who is signed in; USER is an id or any name", []command{
		{"list", "USER", "living sessions of a user, newest first", sessionList},
		{"end", "SESSION", "end one session", sessionEnd},
		{"end-all", "USER", "end all sessions of a user", sessionEndAll},
	}, args)
}

// sessionView is a session without what its token is made of.
type sessionView struct {
	ID         storage.SessionID `json:"id"`
	UserID     storage.UserID    `json:"user"`
	Origin     string            `json:"origin"`
	Level      mfa.Level         `json:"acr"`
	Methods    []string          `json:"methods"`
	Address    string            `json:"address,omitempty"`
	UserAgent  string            `json:"user_agent,omitempty"`
	CreatedAt  time.Time         `json:"created_at"`
	LastSeenAt time.Time         `json:"last_seen_at"`
	ExpiresAt  time.Time         `json:"expires_at"`
}

func newSessionView(s storage.Session) sessionView {
	v := sessionView{ID: s.ID, UserID: s.UserID, Origin: s.Origin, Methods: []string{}, Address: s.Address, UserAgent: s.UserAgent,
		CreatedAt: s.CreatedAt, LastSeenAt: s.LastSeenAt, ExpiresAt: s.ExpiresAt}
	v.Level, _ = mfa.Assess(s.Factors)
	for _, f := range s.Factors {
		v.Methods = append(v.Methods, f.Method)
	}
	return v
}

func sessionList(ctx context.Context, p *program, args []string) error {
	f := p.flags("session list", "living sessions of a user, newest first", "USER [flags]")
	d, err := p.desk(ctx, f, args, 1)
	if err != nil {
		return err
	}
	defer d.close()
	a, err := d.account(ctx, f.Arg(0))
	if err != nil {
		return err
	}
	list, err := d.sessions.ListOf(ctx, a.User.ID)
	if err != nil {
		return err
	}
	views := []sessionView{}
	for _, s := range list {
		views = append(views, newSessionView(s))
	}
	return d.answer(views, func(w io.Writer) {
		fmt.Fprintln(w, "SESSION\tORIGIN\tLEVEL\tPROOFS\tADDRESS\tSINCE\tLAST SEEN\tUNTIL\tBROWSER")
		for _, v := range views {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", v.ID, v.Origin, v.Level, strings.Join(v.Methods, ", "),
				v.Address, stamp(v.CreatedAt), stamp(v.LastSeenAt), stamp(v.ExpiresAt), shownText(v.UserAgent))
		}
	})
}

func sessionEnd(ctx context.Context, p *program, args []string) error {
	f := p.flags("session end", "end one session and the tokens that live by it", "SESSION [flags]")
	offline := f.Bool("offline", false, "end its tokens with offline access too")
	d, err := p.desk(ctx, f, args, 1)
	if err != nil {
		return err
	}
	defer d.close()
	id := storage.SessionID(f.Arg(0))
	s, err := d.sessions.EndByID(ctx, d.visit, id, *offline)
	if err != nil {
		return refusal(err, fmt.Sprintf("session %q", id))
	}
	return d.did(did{User: s.UserID, Session: id, Done: "ended"}, "session "+string(id))
}

func sessionEndAll(ctx context.Context, p *program, args []string) error {
	f := p.flags("session end-all", "end all sessions of a user, logins under way and the tokens that live by them", "USER [flags]")
	offline := f.Bool("offline", false, "end tokens with offline access too")
	return p.changeUser(ctx, f, args, "all sessions ended", func(ctx context.Context, d *desk, a storage.Account) error {
		if *offline {
			return d.users.SignOut(ctx, d.visit, a)
		}
		return d.sessions.EndAll(ctx, d.visit, a.User.ID)
	})
}

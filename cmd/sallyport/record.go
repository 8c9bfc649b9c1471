package main

import (
	"context"
	"net/url"
	"strconv"

	"sallyport/cmd/sallyport/cli"
	"sallyport/web/admin"
)

// listing is a verb that prints a page of a list.
type listing struct {
	name, about, path string
	filters           map[string]string // what each parameter of the call narrows the list to
}

// list runs such a verb.
func list[Page any](ctx context.Context, p *cli.Program, args []string, l listing, show func(d *connection, page Page) error) error {
	f := p.Flags(l.name, l.about, "[flags]")
	limit := f.Int("limit", 100, "print at most this many, up to 1000")
	query := url.Values{}
	for name, usage := range l.filters {
		f.Func(name, usage, func(value string) error { query.Set(name, value); return nil })
	}
	d, err := connect(ctx, p, f, args, 0)
	if err != nil {
		return err
	}
	defer d.Close()
	if *limit < 1 || *limit > 1000 {
		return cli.UsageError(l.name + ": --limit must be from 1 to 1000")
	}
	query.Set("limit", strconv.Itoa(*limit))
	var page Page
	if err := d.Get(ctx, l.path, query, &page); err != nil {
		return err
	}
	return show(d, page)
}

// record is what a verb is about.
type record struct {
	path    string // in the admin API
	subject string // of errors
	label   string // for people: what they confirm, and what was done
}

// call is what a verb does with a record.
type call struct {
	find         func(ctx context.Context, d *connection, which string) (record, error)
	method, path string                              // below that of the record
	more         func() (url.Values, any, error)     // query and body; nil: none
	ask          func(context.Context, string) error // asks first; nil: it need not
	asks         string                              // what is asked, before the label
}

// change runs a verb that makes one call about one record.
func change(ctx context.Context, p *cli.Program, f cli.Flags, args []string, a call) error {
	d, err := connect(ctx, p, f, args, 1)
	if err != nil {
		return err
	}
	defer d.Close()
	r, err := a.find(ctx, d, f.Arg(0))
	if err != nil {
		return err
	}
	if a.ask != nil {
		if err := a.ask(ctx, a.asks+r.label); err != nil {
			return err
		}
	}
	var query url.Values
	var body any
	if a.more != nil {
		if query, body, err = a.more(); err != nil {
			return withSubject(err, r.subject)
		}
	}
	var done admin.Done
	if err := d.Call(ctx, a.method, r.path+a.path, query, body, &done); err != nil {
		return withSubject(err, r.subject)
	}
	return d.printDone(done, r.label)
}

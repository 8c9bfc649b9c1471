package main

import (
	"context"
	"strings"

	"sallyport/storage"
	"sallyport/web/admin"
)

// maxLabels is how many names are read for one output. The others are IDs only.
const maxLabels = 1000

// labels finds the names that stand beside IDs. What was deleted since, or cannot be read now,
// keeps its ID alone: it is not what was asked for.
type labels struct {
	d     *connection
	known map[string]string // by ID
}

// of returns the label of an ID, which read looks up once.
func (l labels) of(id string, read func() (string, error)) string {
	if label, ok := l.known[id]; ok {
		return label
	}
	if len(l.known) > maxLabels {
		return id
	}
	label, err := read()
	if err != nil {
		label = id
	}
	l.known[id] = label
	return label
}

func (l labels) user(ctx context.Context, id storage.UserID) string {
	return l.of(string(id), func() (string, error) {
		var u admin.User
		err := l.d.Get(ctx, "/users/"+string(id), nil, &u)
		return userLabel(u), err
	})
}

func (l labels) apiKey(ctx context.Context, id string) string {
	return l.of(id, func() (string, error) {
		k, err := l.d.apiKey(ctx, id)
		return apiKeyLabel(k), err
	})
}

// actor is the label of who caused an event, where that is an API key.
func (l labels) actor(ctx context.Context, actor string) string {
	if id, ok := strings.CutPrefix(actor, "apikey:"); ok {
		return "apikey:" + l.apiKey(ctx, id)
	}
	return actor
}

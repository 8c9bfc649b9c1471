package registration

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"time"

	"sallyport/input"
	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/provider/fetch"
	"sallyport/provider/oauth"
	"sallyport/storage"
)

// maxBody bounds a request in bytes (H-9), and a list of redirect URIs that clients have in common.
const maxBody = 64 << 10

// readObject reads the JSON object of a request.
func readObject(r *http.Request) (map[string]any, *oauth.Error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		e := oauth.NewError("invalid_client_metadata", "the Content-Type must be application/json")
		e.Status = http.StatusUnsupportedMediaType
		return nil, e
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if _, long := errors.AsType[*http.MaxBytesError](err); long || len(text) > maxBody {
		e := oauth.NewError("invalid_client_metadata", "the body is longer than 64 KiB")
		e.Status = http.StatusRequestEntityTooLarge
		return nil, e
	}
	object, fault := input.Object(text)
	if err != nil || fault != nil {
		return nil, oauth.NewError("invalid_client_metadata", "the body must be one JSON object in UTF-8, without repeated names")
	}
	return object, nil
}

// read returns the client that a request describes. What its software statement says wins, also one
// that came with an earlier request (RFC 7591 section 2.3): a client must not shed it.
func (s *Service) read(ctx context.Context, v mfa.Caller, object map[string]any, have storage.Client) (storage.Client, *oauth.Error) {
	const member = "software_statement"
	registration := storage.Registration{}
	if have.Registration != nil {
		registration = *have.Registration
	}
	text, isText := object[member].(string)
	switch {
	case object[member] != nil && !isText:
		return storage.Client{}, oauth.NewError("invalid_software_statement", "the software statement is not text").About(member)
	case isText:
		registration.Statement = text
		claims, e := s.verifyStatement(ctx, v, text)
		if e != nil {
			return storage.Client{}, e
		}
		overlay(object, claims)
	case registration.Statement != "":
		claims, err := payload(registration.Statement) // it was verified
		if err != nil {
			return storage.Client{}, oauth.ErrorOf(err)
		}
		overlay(object, claims)
	}
	c, faults := s.options.Rules.Read(object, have)
	if len(faults) > 0 {
		return storage.Client{}, invalid(faults)
	}
	c.Registration = &registration
	return c, nil
}

// overlay replaces members by the claims of a software statement. Only metadata is read later.
func overlay(object, claims map[string]any) {
	for name, value := range claims {
		object[name] = value
	}
}

const sectorKept = 5 * time.Second

// checkSector checks that the list at sector_identifier_uri contains every redirect URI (OpenID Connect
// Dynamic Client Registration section 5).
func (s *Service) checkSector(ctx context.Context, v mfa.Caller, c storage.Client) *oauth.Error {
	if c.SectorIdentifierURI == "" {
		return nil
	}
	d, err := s.options.Fetcher.Get(ctx, fetch.Want{URL: c.SectorIdentifierURI, Max: maxBody, Least: sectorKept, Most: sectorKept, Admit: s.mayFetch(v)})
	if e := limited(err); e != nil {
		return e
	}
	var listed []string
	if err != nil || json.Unmarshal(d.Body, &listed) != nil || slices.ContainsFunc(c.RedirectURIs, func(uri string) bool { return !slices.Contains(listed, uri) }) {
		// One text for all: whoever registers must not learn what the server can reach.
		e := oauth.NewError("invalid_client_metadata", "sector_identifier_uri has no list that this server can read with every redirect URI").About("sector_identifier_uri")
		e.Cause = err
		return e
	}
	return nil
}

// mayFetch admits that a registration makes the server fetch a document.
func (s *Service) mayFetch(v mfa.Caller) func() error {
	return func() error { return s.options.Admit.Spend(v, budget.Registrations, 1) }
}

// limited returns the refusal of a caller whose budget does not allow to fetch; nil: err is another.
func limited(err error) *oauth.Error {
	refused, ok := errors.AsType[*mfa.Error](err)
	if !ok {
		return nil
	}
	return &oauth.Error{Code: "temporarily_unavailable", Description: "too many registrations; try again later", Status: http.StatusTooManyRequests, RetryAfter: refused.RetryAfter}
}

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/server"
	"sallyport/storage"
)

// A desired state changes a client to client_secret_jwt and back. A file that has the secret keeps it, the
// server keeps it sealed only meanwhile, and nothing prints it.
func TestAClientIsChangedToSignWithItsSecret(t *testing.T) {
	const old = "geheimgeheimgeheimgeheimgeheimge"
	o := newFixtureWithClients(t)
	o.secrets = append(o.secrets, old)
	apply := func(more, want string) {
		t.Helper()
		if out := o.must("apply", o.file("state.yaml", `clients: [{client_id: office, redirect_uris: ["https://office.example.com/cb"], `+more+"}]\n")); !strings.Contains(out, want) {
			t.Errorf("apply %s: %s, want %q", more, out, want)
		}
	}
	keeps := func(want ...storage.ClientSecret) {
		t.Helper()
		o.withServer(func(h *server.Server) {
			c, err := h.Store.Client(t.Context(), "office")
			if err != nil || !slices.Equal(c.Secrets, want) {
				t.Errorf("the server keeps %d secrets, %v; want %d", len(c.Secrets), err, len(want))
			}
		})
		for _, args := range [][]string{{"client", "show", "office"}, {"client", "show", "--json", "office"}, {"client", "list", "--json"}} {
			if out := o.must(args...); slices.ContainsFunc(want, func(s storage.ClientSecret) bool { return strings.Contains(out, string(s)) }) {
				t.Errorf("%v prints the secret: %s", args, out)
			}
		}
	}
	const signs = "token_endpoint_auth_method: client_secret_jwt, client_secret: "
	apply("client_secret: "+old, "access_token_ttl")
	keeps()
	apply(signs+old, "client_secret: replaced (not shown)")
	keeps(old)
	apply(signs+old, "Nothing to do.")
	file := filepath.Join(o.dir, "fresh")
	o.must("client", "rotate-secret", "office", "--out", file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	fresh := strings.TrimSpace(string(text))
	o.secrets = append(o.secrets, fresh)
	keeps(storage.ClientSecret(fresh), old)
	apply(signs+old, "Nothing to do.")
	apply(signs+old+", client_name: Office", "client_name")
	keeps(storage.ClientSecret(fresh), old)
	o.must("client", "rotate-secret", "office", "--finish")
	keeps(storage.ClientSecret(fresh))
	zeros := strings.Repeat("0", 64)
	hash := "token_endpoint_auth_method: client_secret_jwt, client_secret_sha256: \"" + zeros + "\""
	for more, want := range map[string]string{hash: "a hash verifies no signature", signs + old + ", token_endpoint_auth_signing_alg: HS384": "must have 48 characters or more with HS384"} {
		state := o.file("faulty.yaml", `clients: [{client_id: office, redirect_uris: ["https://office.example.com/cb"], `+more+"}]\n")
		o.rejects([]refused{{more, "", cli.ExitFailed, want, []string{"apply", state}}})
	}
	apply("client_secret: "+fresh, "token_endpoint_auth_method")
	keeps()
	if got := o.good("office", fresh, old); got != "yes no" {
		t.Errorf("the new secret and the old one, hashed again: %s", got)
	}
}

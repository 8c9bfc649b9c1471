package peers

import (
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"sallyport/e2e/load"
	"sallyport/e2e/play"
)

const oidcProviderVersion = "9.13.3"

func startOIDCProvider(b *testing.B, _ *database) (*peer, error) {
	dir, version, err := oidcProvider()
	if err != nil {
		return nil, err
	}
	on := &process{addr: load.FreeAddress(b)}
	_, port, err := net.SplitHostPort(on.addr)
	if err != nil {
		return nil, err
	}
	e := endpoints{discovery: "/.well-known/openid-configuration", authorize: "/auth", token: "/token", introspection: "/token/introspection", userinfo: "/me",
		scope: "openid profile email", alg: "ES256"}
	settings, err := json.Marshal(map[string]any{"issuer": "http://" + on.addr, "port": port, "client": clientID, "secret": clientSecret,
		"redirect": redirectURI, "password": userPassword, "users": userNames(256), "scope": e.scope})
	if err != nil {
		return nil, err
	}
	if err := launch(b, on, "http://"+on.addr+e.discovery, []string{"NODE_ENV=production"}, "node", "oidcprovider.mjs", dir, string(settings)); err != nil {
		return nil, err
	}
	people := newPeople(256)
	return &peer{version: version, on: on, flows: e.flows(func(v *visit) (tokens, error) {
		v.Forget()
		r, err := v.Open(e.authorization(nil))
		if err == nil {
			r, err = v.Submit(r, url.Values{"login": {people.next()}, "password": {userPassword}})
		}
		if err != nil {
			return tokens{}, err
		}
		return e.exchange(v, r)
	})}, nil
}

// oidcProvider returns the folder whose node_modules have oidc-provider.
func oidcProvider() (dir, version string, err error) {
	const variable = "OIDC_PROVIDER"
	if dir, ok, err := play.Given(variable); ok {
		return dir, "as given", err
	}
	if dir, err = play.Cache("oidc-provider", oidcProviderVersion); err != nil {
		return "", "", err
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "oidc-provider")); err == nil {
		return dir, oidcProviderVersion, nil
	}
	if err = os.MkdirAll(dir, 0o755); err == nil {
		err = play.Tool(dir, "npm", "install", "--prefix", dir, "--no-audit", "--no-fund", "--ignore-scripts", "oidc-provider@"+oidcProviderVersion)
	}
	if err != nil {
		err = errors.Join(err, errors.New(variable+" can name a folder with node_modules/oidc-provider"))
	}
	return dir, oidcProviderVersion, err
}

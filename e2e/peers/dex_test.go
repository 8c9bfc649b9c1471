package peers

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"sallyport/e2e/load"
	"sallyport/e2e/play"

	"golang.org/x/crypto/bcrypt"
)

// dex is 2.41, which has no client credentials and signs with RS256 only. The directive
// stands for its go.mod's own one, which names a folder; its SQLite needs a C compiler.
var dex = play.Program{Name: "dex", Variable: "DEX", Command: "github.com/dexidp/dex/cmd/dex", Version: "v0.0.0-20240807174518-43956db7fd75",
	With: []string{"require github.com/dexidp/dex/api/v2 v2.2.0"}, Cgo: "1"}

// startDex starts Dex. Its transactions are serializable, and it responds with 500 when
// PostgreSQL ends one that met another. So each connection has a connector of its own,
// and with it a user and the row of a session; and small tables are read by their indexes,
// which locks less of them.
func startDex(b *testing.B, db *database) (*peer, error) {
	program, version, err := dex.Path()
	if err != nil {
		return nil, err
	}
	if _, err := db.create("dex", "enable_seqscan = off"); err != nil {
		return nil, err
	}
	on := &process{addr: load.FreeAddress(b)}
	settings, err := dexSettings(on.addr, db)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(b.TempDir(), "dex.json") // JSON is YAML
	if err := os.WriteFile(file, settings, 0o600); err != nil {
		return nil, err
	}
	e := endpoints{discovery: "/.well-known/openid-configuration", authorize: "/auth", token: "/token", introspection: "/token/introspect", userinfo: "/userinfo",
		scope: "openid profile email offline_access", alg: "RS256"}
	if err := launch(b, on, "http://"+on.addr+e.discovery, nil, program, "serve", file); err != nil {
		return nil, err
	}
	people := newPeople(64)
	plain := dexLogin(e, func(v *visit) (connector, name string) { return fmt.Sprint("mock", v.worker), "bench" })
	hashed := dexLogin(e, func(*visit) (connector, name string) { return "local", people.next() + "@example.com" })
	f := e.flows(plain)
	return &peer{version: version, on: on, flows: map[string]flow{discovery: f[discovery], loginRSA: f[login], loginHashed: {do: done(hashed)},
		refreshRSA: f[refresh], introspection: f[introspection], userinfo: f[userinfo]}}, nil
}

func dexLogin(e endpoints, who func(*visit) (connector, name string)) func(*visit) (tokens, error) {
	return func(v *visit) (tokens, error) {
		v.Forget()
		connector, name := who(v)
		r, err := v.Open(e.authorization(url.Values{"connector_id": {connector}}))
		if err == nil {
			r, err = v.Submit(r, url.Values{"login": {name}, "password": {userPassword}})
		}
		if err != nil {
			return tokens{}, err
		}
		return e.exchange(v, r)
	}
}

func dexSettings(addr string, db *database) ([]byte, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte(userPassword), bcrypt.DefaultCost)
	if err != nil {
		return nil, err
	}
	var connectors, passwords []map[string]any
	for w := range connections {
		connectors = append(connectors, map[string]any{"type": "mockPassword", "id": fmt.Sprint("mock", w), "name": "Mock",
			"config": map[string]string{"username": "bench", "password": userPassword}})
	}
	for _, name := range userNames(64) {
		passwords = append(passwords, map[string]any{"email": name + "@example.com", "username": name, "userID": name, "hash": string(hash)})
	}
	return json.Marshal(map[string]any{
		"issuer": "http://" + addr,
		"storage": map[string]any{"type": "postgres", "config": map[string]any{"host": db.host, "port": json.Number(db.port), "database": "dex", "user": "postgres",
			"password": "none", "maxOpenConns": 20, "maxIdleConns": 20, "ssl": map[string]string{"mode": "disable"}}},
		"web":           map[string]string{"http": addr},
		"logger":        map[string]string{"level": "error"},
		"oauth2":        map[string]any{"skipApprovalScreen": true, "grantTypes": []string{"authorization_code", "refresh_token"}},
		"staticClients": []map[string]any{{"id": clientID, "secret": clientSecret, "name": clientID, "redirectURIs": []string{redirectURI}}},
		"connectors":    connectors, "enablePasswordDB": true, "staticPasswords": passwords,
		"expiry": map[string]any{"idTokens": "10m", "refreshTokens": map[string]any{"reuseInterval": "0s"}},
	})
}

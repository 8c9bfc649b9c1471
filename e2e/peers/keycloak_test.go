package peers

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sallyport/e2e/load"
	"sallyport/e2e/play"
)

const keycloakVersion = "26.5.6"

// startKeycloak starts Keycloak with two realms: "cheap" with a password hash of one
// iteration, "hashed" with the default one.
func startKeycloak(b *testing.B, db *database) (*peer, error) {
	home, version, err := keycloak()
	if err != nil {
		return nil, err
	}
	if _, err := db.create("keycloak"); err != nil {
		return nil, err
	}
	on := &process{addr: load.FreeAddress(b)}
	_, port, err := net.SplitHostPort(on.addr)
	if err != nil {
		return nil, err
	}
	imports := filepath.Join(home, "data", "import")
	if err := os.MkdirAll(imports, 0o755); err != nil {
		return nil, err
	}
	for realm, policy := range map[string]string{"cheap": "hashAlgorithm(pbkdf2-sha256) and hashIterations(1)", "hashed": ""} {
		text, err := keycloakRealm(realm, policy)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(imports, realm+"-realm.json"), text, 0o644); err != nil {
			return nil, err
		}
	}
	_, management, err := net.SplitHostPort(load.FreeAddress(b))
	if err != nil {
		return nil, err
	}
	err = launch(b, on, "http://"+on.addr+"/realms/hashed/.well-known/openid-configuration", nil, "sh", filepath.Join(home, "bin", "kc.sh"), "start", "--import-realm",
		"--db=postgres", "--db-url=jdbc:postgresql://"+net.JoinHostPort(db.host, db.port)+"/keycloak", "--db-username=postgres", "--db-password=none",
		"--db-pool-initial-size=20", "--db-pool-max-size=20", "--http-enabled=true", "--http-host=127.0.0.1", "--http-port="+port, "--hostname=http://"+on.addr,
		"--http-management-port="+management, "--cache=local", "--log-level=error")
	if err != nil {
		return nil, err
	}
	cheap, hashed := keycloakEndpoints("cheap"), keycloakEndpoints("hashed")
	p := &peer{version: version, on: on, warm: 8 * time.Second, flows: cheap.flows(keycloakLogin(cheap, newPeople(256)))}
	p.flows[loginHashed] = flow{do: done(keycloakLogin(hashed, newPeople(64)))}
	return p, nil
}

func keycloakEndpoints(realm string) endpoints {
	base := "/realms/" + realm
	e := endpoints{discovery: base + "/.well-known/openid-configuration", scope: "openid profile email", alg: "ES256"}
	base += "/protocol/openid-connect/"
	e.authorize, e.token, e.introspection, e.userinfo = base+"auth", base+"token", base+"token/introspect", base+"userinfo"
	return e
}

func keycloakLogin(e endpoints, people *people) func(*visit) (tokens, error) {
	return func(v *visit) (tokens, error) {
		v.Forget()
		r, err := v.Open(e.authorization(nil))
		if err == nil {
			r, err = v.Submit(r, url.Values{"username": {people.next()}, "password": {userPassword}})
		}
		if err != nil {
			return tokens{}, err
		}
		return e.exchange(v, r)
	}
}

// keycloakRealm is a realm that signs with ES256 and replaces a refresh token at each use.
func keycloakRealm(name, policy string) ([]byte, error) {
	count := 256
	if policy == "" {
		count = 64
	}
	var people []map[string]any
	for _, user := range userNames(count) {
		people = append(people, map[string]any{"username": user, "email": user + "@example.com", "emailVerified": true, "enabled": true, "firstName": "Bench", "lastName": user,
			"credentials": []map[string]any{{"type": "password", "value": userPassword, "temporary": false}}})
	}
	realm := map[string]any{"realm": name, "enabled": true, "sslRequired": "none", "defaultSignatureAlgorithm": "ES256", "revokeRefreshToken": true, "refreshTokenMaxReuse": 0,
		"accessTokenLifespan": 600, "users": people,
		"clients": []map[string]any{{"clientId": clientID, "secret": clientSecret, "enabled": true, "publicClient": false, "clientAuthenticatorType": "client-secret",
			"standardFlowEnabled": true, "serviceAccountsEnabled": true, "consentRequired": false, "redirectUris": []string{redirectURI},
			"attributes": map[string]string{"access.token.signed.response.alg": "ES256", "id.token.signed.response.alg": "ES256", "pkce.code.challenge.method": "S256"}}},
		// A realm with one key has no others by default: cookies need HS512 and AES.
		"components": map[string]any{"org.keycloak.keys.KeyProvider": []map[string]any{
			{"name": "ecdsa", "providerId": "ecdsa-generated", "config": map[string][]string{"priority": {"200"}, "ecdsaEllipticCurveKey": {"P-256"}}},
			{"name": "hmac", "providerId": "hmac-generated", "config": map[string][]string{"priority": {"100"}, "algorithm": {"HS512"}}},
			{"name": "aes", "providerId": "aes-generated", "config": map[string][]string{"priority": {"100"}}},
			{"name": "rsa", "providerId": "rsa-generated", "config": map[string][]string{"priority": {"100"}}},
		}}}
	if policy != "" {
		realm["passwordPolicy"] = policy
	}
	return json.Marshal(realm)
}

// keycloak returns the folder that has Keycloak.
func keycloak() (home, version string, err error) {
	const variable = "KEYCLOAK"
	if home, ok, err := play.Given(variable); ok {
		return home, "as given", err
	}
	dir, err := play.Cache("keycloak", keycloakVersion)
	if err != nil {
		return "", "", err
	}
	home = filepath.Join(dir, "keycloak-"+keycloakVersion)
	if _, err := os.Stat(filepath.Join(home, "version.txt")); err == nil {
		return home, keycloakVersion, nil
	}
	if err = os.MkdirAll(dir, 0o755); err == nil {
		err = play.Tool(dir, "mvn", "-q", "-B", "dependency:unpack", "-Dartifact=org.keycloak:keycloak-quarkus-dist:"+keycloakVersion+":zip", "-DoutputDirectory="+dir)
	}
	if err != nil {
		err = fmt.Errorf("%w; %s can name a folder with bin/kc.sh", err, variable)
	}
	return home, keycloakVersion, err
}

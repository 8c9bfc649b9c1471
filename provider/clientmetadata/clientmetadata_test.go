package clientmetadata_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sallyport/input"
	"sallyport/provider/clientmetadata"
	"sallyport/provider/clients"
	"sallyport/storage"
)

var rules = clientmetadata.Rules{Scopes: []string{"openid", "profile", "offline_access"}, MFA: "ALWAYS"}

// A setting that nobody decided about must not be one that a stranger sets, or cannot, by accident.
func TestEveryClientSettingIsInTheTableOrTheOperators(t *testing.T) {
	alone := clientmetadata.OperatorsAlone()
	seen := map[string]string{}
	for _, row := range clientmetadata.Table() {
		if seen[row.Name] != "" || row.Source == "" {
			t.Errorf("%s is in the table twice, or without its source", row.Name)
		}
		seen[row.Name] = row.Name
		for _, s := range row.Settings {
			seen[s] = row.Name
		}
	}
	settings := map[string]bool{}
	for f := range reflect.TypeFor[storage.Client]().Fields() {
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if key == "-" { // no setting: it stays out of documents
			continue
		}
		settings[key] = true
		if (seen[key] != "") == (alone[key] != "") {
			t.Errorf("the client setting %s must be either in the table or the operator's alone", key)
		}
	}
	for key := range alone {
		if !settings[key] {
			t.Errorf("%s is no client setting", key)
		}
	}
}

func read(t *testing.T, text string) (storage.Client, []clients.Fault) {
	t.Helper()
	object, err := input.Object([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	c, faults := rules.Read(object, storage.Client{})
	c.ID = "rp"
	if !clients.New(c).HasNoSecret() {
		clients.AddSecret(&c, strings.Repeat("s", 64))
	}
	return c, append(faults, clientmetadata.Faults(c)...)
}

// Conformance (Registration): RFC 7591 2: the defaults are client_secret_basic, authorization_code and code
func TestDefaultsOfMetadata(t *testing.T) {
	c, faults := read(t, `{"redirect_uris":["https://rp.example/cb"],"jwks":null,"client_name#de":"Laden","x":{"y":1}}`)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	got := clientmetadata.Write(c)
	want := map[string]any{"redirect_uris": []string{"https://rp.example/cb"}, "token_endpoint_auth_method": "client_secret_basic", "grant_types": []string{"authorization_code"},
		"response_types": []string{"code"}, "scope": "openid profile offline_access", "application_type": "web", "subject_type": "public"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("metadata = %v, want %v", got, want)
	}
	if c.Consent != "ask" || c.MFA != "ALWAYS" || c.PKCEOptional {
		t.Errorf("consent %s, mfa %s, pkce_optional %v", c.Consent, c.MFA, c.PKCEOptional)
	}
}

func TestMetadataComesBackAsItWasRead(t *testing.T) {
	const text = `{"redirect_uris":["https://rp.example/cb"],"token_endpoint_auth_method":"private_key_jwt","grant_types":["authorization_code","refresh_token"],
		"response_types":["code"],"client_name":"Shop","client_uri":"https://rp.example/","logo_uri":"https://rp.example/l.png","scope":"openid profile","contacts":["a@rp.example"],
		"tos_uri":"https://rp.example/t","policy_uri":"https://rp.example/p","jwks_uri":"https://rp.example/jwks","software_id":"s","software_version":"1",
		"application_type":"web","sector_identifier_uri":"https://rp.example/s","subject_type":"pairwise","id_token_signed_response_alg":"ES256","request_object_signing_alg":"ES256",
		"id_token_encrypted_response_alg":"ECDH-ES","id_token_encrypted_response_enc":"A128GCM","userinfo_signed_response_alg":"ES256",
		"userinfo_encrypted_response_alg":"RSA-OAEP-256","userinfo_encrypted_response_enc":"A256GCM",
		"token_endpoint_auth_signing_alg":"ES256","initiate_login_uri":"https://rp.example/login","request_uris":["https://rp.example/r"],
		"tls_client_certificate_bound_access_tokens":true,"require_signed_request_object":true,"require_pushed_authorization_requests":true,"dpop_bound_access_tokens":true,
		"post_logout_redirect_uris":["https://rp.example/out"],"backchannel_logout_uri":"https://rp.example/b","backchannel_logout_session_required":true,
		"frontchannel_logout_uri":"https://rp.example/f","frontchannel_logout_session_required":true}`
	c, faults := read(t, text)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	want, err := input.Object([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := clientmetadata.Write(c); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("metadata = %v, want %v", got, want)
	}
}

// What replaces a client keeps what its operator decided.
func TestTheOperatorsSettingsStay(t *testing.T) {
	have := storage.Client{ID: "rp", Name: "Old", Consent: "skip", MFA: "PHR", Disabled: true, Scopes: []string{"openid", "special"}, GrantTypes: []string{"client_credentials"},
		Contacts: []string{"gone@rp.example"}}
	c, faults := rules.Read(map[string]any{"client_name": "New", "scope": "special email", "grant_types": []any{"client_credentials"}}, have)
	if len(faults) > 0 || c.Consent != "skip" || c.MFA != "PHR" || !c.Disabled || c.Name != "New" || c.Contacts != nil || !slices.Equal(c.Scopes, []string{"special"}) {
		t.Errorf("client = %+v, faults %v", c, faults)
	}
}

// A client that has shown its users under one type of subject must not connect them with those of the other.
func TestTheSubjectTypeStays(t *testing.T) {
	for _, tc := range []struct {
		have, asks string
		refused    bool
	}{{"", "public", false}, {"public", "", false}, {"pairwise", "pairwise", false}, {"", "pairwise", true}, {"public", "pairwise", true}, {"pairwise", "public", true}, {"pairwise", "", true}} {
		object := map[string]any{"redirect_uris": []any{"https://rp.example/cb"}}
		if tc.asks != "" {
			object["subject_type"] = tc.asks
		}
		_, faults := rules.Read(object, storage.Client{ID: "rp", SubjectType: tc.have})
		if got := len(faults) == 1 && faults[0].Field == "subject_type"; got != tc.refused {
			t.Errorf("from %q to %q: faults %v, want one: %v", tc.have, tc.asks, faults, tc.refused)
		}
	}
}

// An operator's grants stay; a client does not give itself what only an operator gives.
func TestGrantsOfTheOperatorStay(t *testing.T) {
	for _, grant := range []string{"client_credentials", clients.DeviceCode, clients.TokenExchange} {
		object := map[string]any{"redirect_uris": []any{"https://rp.example/cb"}, "grant_types": []any{"authorization_code", grant}}
		if _, faults := rules.Read(object, storage.Client{ID: "rp"}); len(faults) != 1 || faults[0].Field != "grant_types" {
			t.Errorf("%s: faults %v, want one", grant, faults)
		}
		if _, faults := rules.Read(object, storage.Client{ID: "rp", GrantTypes: []string{grant}}); faults != nil {
			t.Errorf("%s, which the operator gave: %v", grant, faults)
		}
	}
}

// Conformance (Registration): RFC 7591 3.2.2, 5: addresses that lead elsewhere than they look are refused with invalid_redirect_uri, other metadata with invalid_client_metadata
func TestHostileMetadataIsRefused(t *testing.T) {
	const redirect, metadata = "invalid_redirect_uri", "invalid_client_metadata"
	uri := func(uri string) string { return `{"redirect_uris":["` + uri + `"]}` }
	with := func(member string) string { return `{"redirect_uris":["https://rp.example/cb"],` + member + `}` }
	for text, want := range map[string]string{
		uri("https://rp.example/cb"):                             "",
		uri("https://rp.example/cb?a=b"):                         "",
		with(`"client_name":"` + strings.Repeat("ü", 100) + `"`): "",
		with(`"client_name":"` + strings.Repeat("ü", 101) + `"`): metadata,
		with(`"client_name":"Shop\u3164of\u3164Example"`):        metadata, // a filler looks like a space
		with(`"client_name":"\uffa0"`):                           metadata,
		uri("http://localhost:3000/cb"):                          "",
		uri("http://rp.example/cb"):                              redirect,
		uri("https://rp.example/cb#x"):                           redirect,
		uri("https://*.example/cb"):                              redirect,
		uri("https://me@rp.example/cb"):                          redirect,
		uri("https://rp.example@evil.test"):                      redirect,
		uri("https://rp.example\\\\@x/"):                         redirect,
		uri("javascript:alert(1)"):                               redirect,
		uri("JavaScript://x.y/%0aalert(1)"):                      redirect,
		uri("data:text/html,x"):                                  redirect,
		uri("com.example.app:/cb"):                               redirect, // of a confidential client
		uri("file:///etc/passwd"):                                redirect,
		uri("//rp.example/cb"):                                   redirect,
		uri("https://rp.example/c b"):                            redirect,
		uri("https://рp.example/cb"):                             redirect, // a Cyrillic letter: register the A-label
		`{}`:                                                     redirect,
		`{"redirect_uris":"https://rp.example/cb"}`:              redirect,
		`{"redirect_uris":[1]}`:                                  redirect,
		`{"redirect_uris":["com.example.app:/cb"],"token_endpoint_auth_method":"none"}`: "",
		`{"redirect_uris":["cursor://x/cb"],"token_endpoint_auth_method":"none"}`:       redirect,
		`{"redirect_uris":["data:text/html,x"],"token_endpoint_auth_method":"none"}`:    redirect,
		`{"redirect_uris":["javascript:a.b"],"token_endpoint_auth_method":"none"}`:      redirect,
		`{"redirect_uris":["https://rp.example/cb","http://a.test/"],"client_name":1}`:  redirect,
		with(`"client_name":1`):                                                                              metadata,
		with(`"client_name":"Your bank\u202emoc"`):                                                           metadata,
		with(`"logo_uri":"javascript:alert(1)"`):                                                             metadata,
		with(`"logo_uri":"http://127.0.0.1:9000/x.png"`):                                                     metadata,
		with(`"policy_uri":"data:text/html,x"`):                                                              metadata,
		with(`"tos_uri":"https://me@rp.example/"`):                                                           metadata,
		with(`"client_uri":"http://localhost/"`):                                                             metadata,
		with(`"initiate_login_uri":"http://rp.example/login"`):                                               metadata,
		with(`"initiate_login_uri":"http://localhost/login"`):                                                metadata,
		with(`"sector_identifier_uri":"http://rp.example/s"`):                                                metadata,
		with(`"jwks_uri":"http://rp.example/jwks"`):                                                          metadata,
		with(`"jwks_uri":"https://rp.example/jwks","jwks":{"keys":[]}`):                                      metadata,
		with(`"jwks":{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`):                                               metadata,
		with(`"jwks":"x"`):                                                                                   metadata,
		with(`"token_endpoint_auth_method":"private_key_jwt"`):                                               metadata,
		with(`"token_endpoint_auth_method":"client_secret_jwt"`):                                             "",
		with(`"token_endpoint_auth_method":"client_secret_jwt","token_endpoint_auth_signing_alg":"RS256"`):   metadata,
		with(`"token_endpoint_auth_method":"client_secret_basic","token_endpoint_auth_signing_alg":"HS256"`): metadata,
		with(`"grant_types":["implicit"]`):                                                                   metadata,
		with(`"grant_types":["client_credentials"]`):                                                         metadata,
		with(`"grant_types":["authorization_code","urn:ietf:params:oauth:grant-type:device_code"]`):          metadata,
		with(`"grant_types":["authorization_code","urn:ietf:params:oauth:grant-type:token-exchange"]`):       metadata,
		with(`"response_types":["id_token token"]`):                                                          metadata,
		with(`"id_token_signed_response_alg":"none"`):                                                        metadata,
		with(`"request_object_signing_alg":"none"`):                                                          metadata,
		with(`"subject_type":"secret"`):                                                                      metadata,
		`{"redirect_uris":["https://a.example/cb","https://b.example/cb"],"subject_type":"pairwise"}`:        metadata,
		with(`"jwks_uri":"https://rp.example/jwks","id_token_encrypted_response_alg":"RSA1_5"`):              metadata,
		with(`"jwks_uri":"https://rp.example/jwks","userinfo_encrypted_response_alg":"PBES2-HS256+A128KW"`):  metadata,
		with(`"userinfo_signed_response_alg":"none"`):                                                        metadata,
		with(`"application_type":"both"`):                                                                    metadata,
		with(`"scope":"admin"`):                                                                              metadata,
		with(`"scope":["openid"]`):                                                                           metadata,
		with(`"dpop_bound_access_tokens":"true"`):                                                            metadata,
		with(`"contacts":["a\nb"]`):                                                                          metadata,
		with(`"backchannel_logout_uri":"http://rp.example/"`):                                                metadata,
		with(`"post_logout_redirect_uris":["javascript:alert(1)"]`):                                          metadata,
		`{"redirect_uris":[` + strings.Repeat(`"https://rp.example/",`, 50) + `"https://a/"]}`:               redirect,
	} {
		_, faults := read(t, text)
		got := ""
		if len(faults) > 0 {
			got = clientmetadata.Code(faults)
		}
		if got != want {
			t.Errorf("%s: %q, want %q (%v)", text, got, want, faults)
		}
	}
}

// What a stranger writes of settings that are not the stranger's does nothing.
func TestMetadataDoesNotSetTheOperatorsSettings(t *testing.T) {
	c, faults := read(t, `{"redirect_uris":["https://rp.example/cb"],"consent":"skip","manages_factors":true,"mfa":"OFF","headless_login":true,"login_url":"https://evil.test/",
		"audience":["https://api.example"],"pkce_optional":true,"silent_login":true,"allowed_methods":["password"],"secret_hashes":["AA=="],"client_id":"sallyport"}`)
	plain, _ := read(t, `{"redirect_uris":["https://rp.example/cb"]}`)
	if len(faults) > 0 || !reflect.DeepEqual(c, plain) {
		t.Errorf("client = %+v, want %+v", c, plain)
	}
}

func TestProgramsOnAMachineAreNative(t *testing.T) {
	for text, want := range map[string]bool{
		`{"redirect_uris":["http://127.0.0.1:3000/cb"],"token_endpoint_auth_method":"none"}`:                          true,
		`{"redirect_uris":["http://127.0.0.1:3000/cb"],"token_endpoint_auth_method":"none","application_type":"web"}`: false,
		`{"redirect_uris":["http://127.0.0.1/cb","https://rp.example/cb"],"token_endpoint_auth_method":"none"}`:       false,
		`{"redirect_uris":["http://127.0.0.1/cb"]}`:                                                                   false,
		`{"redirect_uris":["HTTPS://rp.example/cb"],"token_endpoint_auth_method":"none"}`:                             false,
		`{"redirect_uris":["https://rp.example/cb"],"token_endpoint_auth_method":"none","application_type":"native"}`: true,
	} {
		if c, faults := read(t, text); len(faults) > 0 || c.Native != want {
			t.Errorf("%s: native %v, want %v (%v)", text, c.Native, want, faults)
		}
	}
}

package streambird

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/mfa"
	"sallyport/mfa/users"
	"sallyport/provider/apikeys"
	"sallyport/storage"
	"sallyport/web/wireid"
)

// documentedKey is the API key of the documented calls.
const documentedKey = "sk_test_KJuRUZmh1XC342h1n39gH84MuSZDyD13NfhtDkaY6IfwpQA0H"

// words splits a command of a shell as far as the documented calls need: quotes, lines that are
// continued, and variables, which all hold the API key.
func words(text string) []string {
	var out []string
	var word strings.Builder
	quote, inWord := rune(0), false
	for _, r := range strings.ReplaceAll(text, "\\\n", " ") {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, inWord = r, true
		case quote == 0 && (r == ' ' || r == '\n'):
			if inWord {
				out = append(out, word.String())
			}
			word.Reset()
			inWord = false
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if inWord {
		out = append(out, word.String())
	}
	return out
}

// documented sends a documented call word for word, but for the replacements.
func (h *fixture) documented(name string, replace ...string) reply {
	h.T.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "documented", name+".curl"))
	h.OK(err)
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(string(text), replace[i]) {
			h.T.Fatalf("%s lacks %s", name, replace[i])
		}
	}
	list := words(strings.NewReplacer(replace...).Replace(string(text)))
	method, address, body, header := http.MethodGet, "", "", http.Header{}
	for i := 1; i < len(list); i++ {
		switch word := list[i]; word {
		case "-X", "--request":
			i++
			method = list[i]
		case "-H", "--header":
			i++
			key, value, _ := strings.Cut(list[i], ": ")
			value = strings.NewReplacer("$API_KEY", documentedKey, "$ACCESS_TOKEN", documentedKey).Replace(value)
			header.Add(key, value)
		case "-d", "--data", "--data-raw":
			i++
			body = list[i]
		case "--location":
		default:
			address = word
		}
	}
	path, ok := strings.CutPrefix(address, "https://api.streambird.io")
	if !ok || body == "" || header.Get("Authorization") != "Bearer "+documentedKey {
		h.T.Fatalf("%s is not read as a call: %q", name, list)
	}
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header = header
	return h.do(r)
}

// withDocumentedKey imports the API key of the documented calls.
func withDocumentedKey(t *testing.T) *fixture {
	h := newFixture(t)
	_, _, err := h.apiKeys.Create(t.Context(), mfa.Caller{}, apikeys.Operator(), apikeys.Draft{Name: "documented", Secret: documentedKey,
		Dialects: []string{apikeys.DialectStreambird}, Verbs: []string{apikeys.VerbRead, apikeys.VerbWrite}})
	h.OK(err)
	return h
}

const documentedUser = "user_26l7dbfAY59ftejmm6m3OTf4oz1"

// The guide to TOTP, with the IDs and codes that the responses have.
func TestDocumentedTOTP(t *testing.T) {
	h := withDocumentedKey(t)
	created := h.documented("totp_1_create_user").ok()
	if created.at("status") != "pending" || created.text("first_name") != "John" || created.text("emails.0.email") != "sandbox@streambird.io" ||
		created.text("phone_numbers.0.phone_number") != number || created.at("email_id") != created.at("emails.0.id") {
		t.Errorf("created = %s", created.raw)
	}
	h.documented("totp_1_create_user").refused(409, "duplicate_email")
	user := created.text("user_id")
	h.documented("totp_2_create").refused(404, "user_not_found")
	totp := h.documented("totp_2_create", documentedUser, user).ok()
	h.documented("totp_3_verify").refused(404, "user_not_found")
	a := &app{h: h, user: user, secret: totp.text("secret")}
	verified := h.documented("totp_3_verify", documentedUser, user, "505361", h.Code(a.secret)).ok()
	if verified.at("totp_id") != totp.at("totp_id") || verified.at("session.expires_at") != float64(h.Now().Unix()+100*60) {
		t.Errorf("verified = %s", verified.raw)
	}
	h.documented("totp_3_verify", documentedUser, user, "505361", h.Code(a.secret)).refused(400, "invalid_totp")
	a.next()
	h.documented("totp_verify_reference", documentedUser, user, "505361", h.Code(a.secret)).ok()
}

// The documented IDs decode to identifiers, so a user with one is found by it.
func TestDocumentedIDsAreRead(t *testing.T) {
	h := withDocumentedKey(t)
	id, ok := wireid.FromStreambird[storage.UserID](wireid.StreambirdUser, documentedUser)
	if !ok {
		t.Fatalf("%s does not decode", documentedUser)
	}
	_, err := h.Users.Create(t.Context(), mfa.Caller{}, users.Draft{ID: id, Email: someone})
	h.OK(err)
	a := &app{h: h, user: documentedUser, secret: h.documented("totp_2_create").ok().text("secret")}
	h.documented("totp_3_verify", "505361", h.Code(a.secret)).ok()
}

// The guide to codes by text message. One of its calls is not JSON.
func TestDocumentedCodesBySMS(t *testing.T) {
	h := withDocumentedKey(t)
	h.documented("sms_3_send").refused(404, "phone_number_not_found")
	user := h.documented("sms_1_create_user").ok().text("user_id")
	before := h.call(http.MethodGet, "/users/"+user, "").ok()
	h.documented("sms_2_update_user_broken", "user_24wFP9pDa9YiMJLun94iKykoZs2", user).refused(400, "validation_error")
	if after := h.call(http.MethodGet, "/users/"+user, "").ok(); after.raw != before.raw {
		t.Errorf("a call that is not JSON has changed %s to %s", before.raw, after.raw)
	}
	sent := h.documented("sms_3_send").ok()
	if sent.text("user_id") != user || sent.at("user_active") != true || len(sent.body) != 3 {
		t.Errorf("sent = %s", sent.raw)
	}
	h.documented("sms_4_verify").refused(404, "phone_number_not_found")
	method := sent.text("phone_number_id")
	h.documented("sms_4_verify", "pn_24oXBLRv6BoHXbNZoTAZkAFlRsy", method, "982303", other(h.sent(number))).refused(400, "invalid_otp")
	verified := h.documented("sms_4_verify", "pn_24oXBLRv6BoHXbNZoTAZkAFlRsy", method, "982303", h.sent(number)).ok()
	if verified.text("method_id") != method || verified.at("method_type") != "phone_number" || verified.text("user_id") != user || len(verified.body) != 3 {
		t.Errorf("verified = %s", verified.raw)
	}
}

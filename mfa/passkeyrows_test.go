package mfa

import (
	"encoding/json"
	"testing"
	"time"

	"sallyport/storage"
)

// touched is a passkey without user verification: one factor.
const touched = `{"kinds":["have"],"amr":["pop","user"],"phr":true}`

// touchedBy returns a proof with it.
func touchedBy() storage.Factor {
	f := proofWith("passkey", time.Minute)
	f.Kinds = []storage.Kind{storage.Have}
	return f
}

// withData returns an account whose passkey has data.
func withData(a *storage.Account, data string) *storage.Account {
	for i := range a.Authenticators {
		if a.Authenticators[i].Method == "passkey" {
			a.Authenticators[i].Data = json.RawMessage(data)
		}
	}
	return a
}

// passkeyRows are the cases of passkeys, which can be enrolled, and of clients that demand one.
func passkeyRows() []row {
	phr := Policy{MFA: MFAResistant}
	password, totp, passkey := proofWith("password", time.Minute), proofWith("totp", time.Minute), proofWith("passkey", time.Minute)
	return []row{
		{name: "a passkey alone is phr", policy: phr, account: accountWith(false, "password", "passkey"), given: []storage.Factor{passkey}, acr: PHR},
		{name: "and needs no password to be there", policy: phr, account: accountWith(false, "passkey"), given: []storage.Factor{passkey}, acr: PHR},
		{name: "the password is not", policy: phr, account: accountWith(false, "password", "passkey"), given: []storage.Factor{password}, need: NeedSecond, acr: AAL1, methods: "passkey"},
		{name: "a passkey that is enrolled", policy: phr, account: accountWith(false, "password"), given: []storage.Factor{password}, need: NeedEnroll, acr: AAL1, methods: "passkey"},
		{name: "beside an app, after the app", policy: phr, account: accountWith(false, "password", "totp"), given: []storage.Factor{password}, need: NeedSecond, acr: AAL1, methods: "totp"},
		{name: "and then enrolled", policy: phr, account: accountWith(false, "password", "totp"), given: []storage.Factor{password, totp}, need: NeedEnroll, acr: AAL2, methods: "passkey"},
		{name: "not after an app that is locked", policy: phr, account: accountWith(false, "password", "totp!"), given: []storage.Factor{password}, need: NeedSecond, acr: AAL1, methods: "totp"},
		{name: "not where the client allows no passkeys", policy: only(phr, "totp"), account: accountWith(false, "password", "totp"), given: []storage.Factor{password, totp}, need: NeedUnmet, acr: AAL2},
		{name: "a passkey that only verifies presence is one factor", policy: always(), account: withData(accountWith(false, "password", "passkey"), touched), given: []storage.Factor{touchedBy()},
			need: NeedFirst, acr: AAL1, methods: "password"},
		{name: "with the password it is phr", policy: phr, account: withData(accountWith(false, "password", "passkey"), touched), given: []storage.Factor{password, touchedBy()}, acr: PHR},
		{name: "and is asked for after it", policy: phr, account: withData(accountWith(false, "password", "passkey"), touched), given: []storage.Factor{password}, need: NeedSecond, acr: AAL1, methods: "passkey"},
		{name: "without a password it cannot reach two", policy: always(), account: withData(accountWith(false, "passkey"), touched), given: []storage.Factor{touchedBy()}, need: NeedUnmet, acr: AAL1},
		{name: "acr_values phr asks for a passkey", account: accountWith(false, "password", "passkey"), given: []storage.Factor{password}, required: Requirements{Voluntary: []Level{PHR}},
			need: NeedSecond, acr: AAL1, methods: "passkey"},
		{name: "and for nothing that is not there", account: accountWith(false, "password", "totp"), given: []storage.Factor{password}, required: Requirements{Voluntary: []Level{PHR}}, acr: AAL1},
		{name: "nor for a presence that does not reach it", account: withData(accountWith(false, "passkey"), touched), given: []storage.Factor{touchedBy()}, required: Requirements{Voluntary: []Level{PHR}}, acr: AAL1},
	}
}

func TestRequireWithPasskeys(t *testing.T) {
	infos := allInfos()
	for i := range infos {
		infos[i].Enrolls = infos[i].Enrolls || infos[i].Name == "passkey"
	}
	testRows(t, infos, passkeyRows())
}

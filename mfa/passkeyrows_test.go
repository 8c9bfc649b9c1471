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

// inHardware is a passkey whose attestation is believed.
const inHardware = `{"kinds":["have","are"],"amr":["pop","user","hwk"],"phr":true,"root":"aGVyZQ=="}`

// hardwareRows are the cases of keys in hardware.
func hardwareRows() []row {
	phrh := Policy{MFA: MFAHardware}
	password, totp, plain, hard := proofWith("password", time.Minute), proofWith("totp", time.Minute), proofWith("passkey", time.Minute), proofWith("passkey", time.Minute)
	hard.Hardware = true
	with := func(methods ...string) *storage.Account { return withData(accountWith(false, methods...), inHardware) }
	return []row{
		{name: "a key in hardware is phrh", policy: phrh, account: with("passkey"), given: []storage.Factor{hard}, acr: PHRH},
		{name: "and phr", policy: Policy{MFA: MFAResistant}, account: with("passkey"), given: []storage.Factor{hard}, acr: PHRH},
		{name: "it is asked for after the password", policy: phrh, account: with("password", "passkey"), given: []storage.Factor{password}, need: NeedSecond, acr: AAL1, methods: "passkey"},
		{name: "a proof that claims it, with a key that is not", policy: phrh, account: accountWith(false, "passkey"), given: []storage.Factor{hard}, need: NeedEnroll, acr: PHR, methods: "passkey"},
		{name: "another passkey is not enough", policy: phrh, account: accountWith(false, "password", "passkey"), given: []storage.Factor{plain}, need: NeedEnroll, acr: PHR, methods: "passkey"},
		{name: "and is proven before one is enrolled", policy: phrh, account: accountWith(false, "password", "passkey"), given: []storage.Factor{password}, need: NeedSecond, acr: AAL1, methods: "passkey"},
		{name: "as an app is", policy: phrh, account: accountWith(false, "password", "totp"), given: []storage.Factor{password}, need: NeedSecond, acr: AAL1, methods: "totp"},
		{name: "after the app one is enrolled", policy: phrh, account: accountWith(false, "password", "totp"), given: []storage.Factor{password, totp}, need: NeedEnroll, acr: AAL2, methods: "passkey"},
		{name: "an essential phrh", account: with("password", "passkey"), given: []storage.Factor{password}, required: Requirements{Essential: []Level{PHRH}}, need: NeedSecond, acr: AAL1, methods: "passkey"},
		{name: "an essential phrh that the user cannot reach", account: accountWith(false, "password", "passkey"), given: []storage.Factor{plain}, required: Requirements{Essential: []Level{PHRH}}, need: NeedUnmet, acr: PHR},
		{name: "a voluntary one is left", account: accountWith(false, "password", "passkey"), given: []storage.Factor{plain}, required: Requirements{Voluntary: []Level{PHRH}}, acr: PHR},
		{name: "an essential phr is reported as such", account: with("passkey"), given: []storage.Factor{hard}, required: Requirements{Essential: []Level{PHR}}, acr: PHR},
	}
}

func TestRequireKeysInHardware(t *testing.T) {
	infos := allInfos()
	for i := range infos {
		if infos[i].Name == "passkey" {
			infos[i].Enrolls = true
			infos[i].Hardware = func(x storage.Authenticator) bool { return string(x.Data) == inHardware }
		}
	}
	testRows(t, infos, hardwareRows())
	for i := range infos {
		infos[i].Hardware = nil
	}
	testRows(t, infos, []row{{name: "a server that believes no attestation", policy: Policy{MFA: MFAHardware}, account: accountWith(false, "password"),
		given: []storage.Factor{proofWith("password", time.Minute)}, need: NeedUnmet, acr: AAL1}})
}

func TestRequireWithPasskeys(t *testing.T) {
	infos := allInfos()
	for i := range infos {
		infos[i].Enrolls = infos[i].Enrolls || infos[i].Name == "passkey"
	}
	testRows(t, infos, passkeyRows())
}

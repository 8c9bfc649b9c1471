package provider

import "testing"

func BenchmarkClientCredentials(b *testing.B) {
	h := newFixture(b)
	h.client("rp")
	b.ReportAllocs()
	for b.Loop() {
		if got := h.post(h.p.Grants.Token, "rp", formOf("grant_type", "client_credentials", "scope", "read")); got.Status != 200 {
			b.Fatal(got.Raw)
		}
	}
}

func BenchmarkIntrospection(b *testing.B) {
	h := newFixture(b)
	h.client("rp")
	h.user("ada", "")
	token := h.tokensFor("rp", "ada", "openid").get("access_token")
	b.ReportAllocs()
	for b.Loop() {
		if !h.active("rp", token) {
			b.Fatal("not active")
		}
	}
}

func BenchmarkAuthorizeAndExchange(b *testing.B) {
	h := newFixture(b)
	h.client("rp")
	h.user("ada", "")
	_, s := h.signIn(params("rp"), "ada")
	b.ReportAllocs()
	for b.Loop() {
		code := h.values(h.begin(params("rp"), s).Finished.Answer).Get("code")
		if got := h.post(h.p.Grants.Token, "rp", redeem(code)); got.Status != 200 {
			b.Fatal(got.Raw)
		}
	}
}

package country_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"sallyport/mfa/country"
)

func write(tb testing.TB, text string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "countries.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func TestTheCountryOfAnAddress(t *testing.T) {
	f, err := country.Open(write(t, "\ufeff# made for a test\n198.51.100.0,198.51.100.9,\"FR\"\n192.0.2.0/25,DE\n2001:db8::/33,NL\n192.0.2.128/25,AT\n\n"+
		"2001:db8:8000::,2001:db8:8000::ff,BE\n203.0.113.0/24,ZZ\n10.0.0.0/8,-\n"))
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{"192.0.2.0": "DE", "192.0.2.127": "DE", "192.0.2.128": "AT", "192.0.2.255": "AT", "192.0.3.0": "", "192.0.1.255": "",
		"::ffff:192.0.2.7": "DE", "198.51.100.9": "FR", "198.51.100.10": "", "203.0.113.1": "", "10.1.1.1": "", "0.0.0.0": "", "255.255.255.255": "",
		"2001:db8::": "NL", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff": "NL", "2001:db8:8000::ff": "BE", "2001:db8:8000::100": "", "::": "", "fe80::1%eth0": "", "x": "", "": ""} {
		if got := f.Of(address); got != want {
			t.Errorf("%q is in %q, want %q", address, got, want)
		}
	}
	if got := (*country.File)(nil).Of("192.0.2.1"); got != "" {
		t.Errorf("without a file: %q", got)
	}
}

func TestFaultsOfAFile(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.0/24,DE\n192.0.2.7/24,DE\n":            "line 2: \"192.0.2.7/24\" is not a network",
		"192.0.2.0/24\n":                                "line 1: has 1 fields",
		"192.0.2.0/24,Germany\n":                        "is not two upper-case letters",
		"192.0.2.0/24,de\n":                             "is not two upper-case letters",
		"192.0.2.9,192.0.2.1,DE\n":                      "is no range",
		"192.0.2.9,2001:db8::1,DE\n":                    "is no range",
		"::ffff:192.0.2.0/120,DE\n":                     "is not a network",
		"192.0.2.0/24,DE\n192.0.2.128/25,AT\n":          "two networks overlap at 192.0.2.128",
		"2001:db8::/32,DE\n2001:db8::,2001:db8::1,AT\n": "two networks overlap at 2001:db8::",
		"":                    "has no network",
		"network,country\n":   "line 1: \"network\" is not a network",
		"192.0.2.0/24,\"DE\n": "line 1",
	} {
		if _, err := country.Open(write(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestAFaultyFileKeepsWhatWasRead(t *testing.T) {
	for text, want := range map[string]string{"192.0.2.0/24": "DE", "192.0.2.0/24,AT": "AT"} {
		path := write(t, "192.0.2.0/24,DE\n")
		f, err := country.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := f.Load(); (err != nil) != (want == "DE") {
			t.Fatalf("%q: %v", text, err)
		}
		if got := f.Of("192.0.2.1"); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// large is a file of the size of a country database.
func large(tb testing.TB) string {
	var b strings.Builder
	for i := range 400_000 {
		fmt.Fprintf(&b, "%d.%d.%d.0/24,%c%c\n", 1+i>>16, i>>8&255, i&255, 'A'+i%26, 'A'+i/26%26)
	}
	for i := range 300_000 {
		fmt.Fprintf(&b, "2001:%x:%x::/48,DE\n", i>>16, i&0xffff)
	}
	return write(tb, b.String())
}

func BenchmarkOf(b *testing.B) {
	path := large(b)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f, err := country.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportAllocs()
	for b.Loop() {
		f.Of("3.77.12.9")
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB")
}

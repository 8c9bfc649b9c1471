package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/config/strict/stricttest"
)

func TestTracingFaults(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		environ    []string
		want       []string
	}{
		{"a collector on this machine, with a key", "tracing: {endpoint: 'http://127.0.0.1:4318', sample_ratio: 0.25, headers_file: h}\n", nil, nil},
		{"a collector in the network", "tracing: {endpoint: 'http://collector:4318/v1/traces', sample_ratio: 1}\n", nil, nil},
		{"a share from the environment", "", []string{"SALLYPORT_TRACING_ENDPOINT=https://collector.example", "SALLYPORT_TRACING_SAMPLE_RATIO=0.01"}, nil},
		{"a share that is not a number", "tracing: {sample_ratio: some}\n", nil, []string{"s.yaml:5: tracing.sample_ratio: must be a number"}},
		{"a share below 0", "tracing: {sample_ratio: -0.5}\n", nil, []string{"tracing.sample_ratio: must be from 0 to 1"}},
		{"a share above 1", "tracing: {sample_ratio: 1.01}\n", nil, []string{"tracing.sample_ratio: must be from 0 to 1"}},
		{"a share that is NaN", "tracing: {sample_ratio: .nan}\n", nil, []string{"tracing.sample_ratio: must be"}},
		{"not a URL", "tracing: {endpoint: 'collector:4318'}\n", nil, []string{"tracing.endpoint: must be a URL"}},
		{"another scheme", "tracing: {endpoint: 'grpc://collector:4317'}\n", nil, []string{"tracing.endpoint: must be a URL"}},
		{"a password in it", "tracing: {endpoint: 'https://u:geheim@collector'}\n", nil, []string{"tracing.endpoint: holds a user or password"}},
		{"a key in it", "tracing: {endpoint: 'https://collector/?key=geheim'}\n", nil, []string{"tracing.endpoint: must have no query"}},
		{"a key in plaintext over the network", "tracing: {endpoint: 'http://collector:4318', headers_file: h}\n", nil, []string{"tracing.endpoint: must begin with https://"}},
		{"headers without an endpoint", "tracing: {headers_file: h}\n", nil, []string{"tracing.headers_file: needs tracing.endpoint"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse("s.yaml", []byte(good+tc.text), tc.environ)
			if tc.want == nil && err == nil {
				return
			}
			stricttest.Want(t, err, tc.want)
		})
	}
	if text := (Config{Tracing: Tracing{Endpoint: "https://u:geheim@collector"}}).Redacted(); strings.Contains(text, "geheim") {
		t.Errorf("the settings show a password: %s", text)
	}
}

func TestHeadersAreReadAndHidden(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"one header, with a comment", "# of the collector\n\nx-api-key: geheim: 1\n", "X-Api-Key=geheim: 1"},
		{"a line without a name", "geheim\n", `line 1 is not "Name: value"`},
		{"a name with a space", "api key: geheim\n", `line 1 is not "Name: value"`},
		{"a header without a value", "a: b\napi-key:\n", `line 2 is not "Name: value"`},
		{"a value that would forge another header", "a: geheim\rb: c\n", `line 1 is not "Name: value"`},
		{"nothing", "\n# geheim\n", "the file has no header"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "headers")
			if err := os.WriteFile(file, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			headers, err := Tracing{HeadersFile: file}.ReadHeaders()
			got := fmt.Sprint(err)
			if strings.Contains(got+fmt.Sprint(headers), "geheim") {
				t.Errorf("a secret is shown: %s %v", got, headers)
			}
			for name, value := range headers {
				got += name + "=" + value.Reveal()
			}
			if !strings.Contains(got, tc.want) {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
	if headers, err := (Tracing{}).ReadHeaders(); headers != nil || err != nil {
		t.Errorf("without a file: %v, %v", headers, err)
	}
}

package main

import (
	"bytes"
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	setting := func(key, value string) debug.BuildSetting { return debug.BuildSetting{Key: key, Value: value} }
	release := debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		setting("GOOS", "linux"), setting("GOARCH", "arm64"), setting("vcs.revision", "abc"), setting("vcs.time", "2026-11-21T07:45:28Z"), setting("vcs.modified", "false")}}
	changed := release
	changed.Settings = append(release.Settings[:4:4], setting("vcs.modified", "true"))
	for _, tc := range []struct {
		name string
		info debug.BuildInfo
		want string
	}{
		{"a release", release, "sallyport v1.2.3\ncommit    abc\ndate      2026-11-21T07:45:28Z\ngo        go1.26.8 linux/arm64\n"},
		{"changed files", changed, "from this commit"},
		{"without a repository", debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "(devel)"}}, "sallyport development\ngo "},
	} {
		var b bytes.Buffer
		identify(&tc.info).write(&b)
		if got := b.String(); !strings.Contains(got, tc.want) {
			t.Errorf("%s: %q, want %q in it", tc.name, got, tc.want)
		}
	}
	if out := run(t, "version", "-v"); !strings.Contains(out, "github.com/ory/fosite") {
		t.Errorf("version -v = %s", out)
	}
	if out := run(t, "version", "--json"); !strings.Contains(out, `"github.com/ory/fosite":"v0.`) {
		t.Errorf("version --json = %s", out)
	}
}

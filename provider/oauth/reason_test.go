package oauth

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestEveryReasonIsDocumented(t *testing.T) {
	docs, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("reason.go")
	if err != nil {
		t.Fatal(err)
	}
	constants := regexp.MustCompile(`(?m)^\t[A-Z]\w+ += "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	if len(constants) < 20 {
		t.Errorf("%d constants", len(constants))
	}
	_, log, _ := strings.Cut(string(docs), "## Reasons in the log")
	for _, c := range constants {
		if !slices.Contains(Reasons(), c[1]) || !strings.Contains(log, "`"+c[1]+"`") {
			t.Errorf("%s is not in Reasons or not in docs/errors.md", c[1])
		}
	}
}

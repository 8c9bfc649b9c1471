package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const small = `var frequency_lists = { passwords: "123456,Password,password1,qwerty,$ecret$$".split(","), male_names: "james,al".split(","),
	female_names: "mary".split(","), surnames: "smith".split(",") };`

func TestEntries(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lists.js")
	if err := os.WriteFile(file, []byte(small), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run(file, &out); err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(out.String(), "\n\n")
	words := strings.Split(strings.TrimSuffix(list, "\n"), "\n")
	if !slices.IsSorted(words) || len(slices.Compact(slices.Clone(words))) != len(words) {
		t.Error("the list is not sorted, or has duplicates")
	}
	for word, want := range map[string]bool{
		"password": true, "password1": true, "qwerty": true, "$ecret$$": true, "james": true, "mary": true, "smith": true, // zxcvbn's
		"123456": false, "al": false, // too short to match
		"bayernmünchen": true, "tom12345": true, "tom": false, "lukaslukas": true, "weiss": true, "weiß": false, // typed, and folded
		"qwertzuiop": true, "poiuztrewq": true, "aaaaaaaa": true, "19841984": true, "42424242": true, // keyboard
	} {
		if _, found := slices.BinarySearch(words, word); found != want {
			t.Errorf("%q in the list: %v, want %v", word, found, want)
		}
	}
	if err := run("typed.txt", &out); err == nil {
		t.Error("a file that is not zxcvbn's was read")
	}
}

// TestListIsCurrent checks that the server's list has all additions.
func TestListIsCurrent(t *testing.T) {
	text, err := os.ReadFile("../../mfa/password/common_passwords.txt")
	if err != nil {
		t.Fatal(err)
	}
	before, list, _ := strings.Cut(string(text), "\n\n")
	if before+"\n" != head {
		t.Error("the file does not begin with head.txt")
	}
	words := strings.Split(strings.TrimSuffix(list, "\n"), "\n")
	for _, word := range entries(additions()) {
		if _, found := slices.BinarySearch(words, word); !found {
			t.Errorf("%q is missing: regenerate the list", word)
		}
	}
}

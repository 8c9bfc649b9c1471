// Command passwords writes the list of common passwords to standard output:
//
//	go run ./deploy/passwords package/lib/frequency_lists.js > list
//	mv list mfa/password/common_passwords.txt
//
// The argument is a file of zxcvbn 4.4.2 (https://github.com/dropbox/zxcvbn, MIT), from
// its npm package: passwords by frequency, and first and last names. The command adds the
// words in typed.txt, from German and English accounts, the passwords in whole.txt, and
// keyboard patterns. The same input gives the same bytes.
//
// An entry is a password of eight characters or more, or a word of four letters or more,
// which is also refused with digits and punctuation around it.
package main

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

//go:embed typed.txt
var typed string

//go:embed whole.txt
var whole string

//go:embed head.txt
var head string

// Minimum lengths, in characters, of a password and of a word.
const (
	wholeLeast = 8
	wordLeast  = 4
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: passwords FREQUENCY_LISTS.JS")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "passwords:", err)
		os.Exit(1)
	}
}

func run(lists string, w io.Writer) error {
	text, err := os.ReadFile(lists)
	if err != nil {
		return fmt.Errorf("read lists: %w", err)
	}
	words, err := frequent(string(text))
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "%s\n", head)
	for _, word := range entries(append(words, additions()...)) {
		fmt.Fprintln(out, word)
	}
	return out.Flush()
}

// surnames is the number of last names taken from zxcvbn's 10,000, most frequent first.
const surnames = 1000

// frequent reads zxcvbn's lists of passwords and names.
func frequent(text string) ([]string, error) {
	var out []string
	for _, name := range []string{"passwords", "male_names", "female_names", "surnames"} {
		found := regexp.MustCompile(`\b` + name + `: "([^"]*)"\.split\(","\)`).FindStringSubmatch(text)
		if found == nil {
			return nil, errors.New("not the frequency lists of zxcvbn: there is no " + name)
		}
		words := strings.Split(found[1], ",")
		if name == "surnames" {
			words = words[:min(surnames, len(words))]
		}
		out = append(out, words...)
	}
	return out, nil
}

// additions are the entries that are not zxcvbn's.
func additions() []string {
	out := append(lines(whole), keyboard()...)
	for _, word := range lines(typed) {
		out = append(out, word, word+word)
		if utf8.RuneCountInString(word) < wordLeast {
			for n := wholeLeast - wordLeast; n <= 9; n++ {
				out = append(out, word+"123456789"[:n])
			}
		}
	}
	return out
}

// lines returns the words of a text, without lines that begin with "# ".
func lines(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "# ") {
			out = append(out, strings.Fields(line)...)
		}
	}
	return out
}

// keyboard returns keyboard patterns: repeated keys, rows and columns in both directions,
// the alphabet, digits, repeated years.
func keyboard() []string {
	var out []string
	for _, key := range "abcdefghijklmnopqrstuvwxyzäöü0123456789!.*-+#" {
		for n := wholeLeast; n <= 16; n++ {
			out = append(out, strings.Repeat(string(key), n))
		}
	}
	for _, row := range []string{"qwertyuiop", "qwertzuiopü", "asdfghjkl", "asdfghjklöä", "zxcvbnm", "yxcvbnm", "azertyuiop", "qsdfghjklm", "wxcvbn",
		"qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm", "1234567890", "12345678901234567890", "0123456789", "abcdefghijklmnopqrstuvwxyz",
		"1qay2wsx3edc4rfv5tgb6zhn", "1qaz2wsx3edc4rfv5tgb6yhn", "qaywsxedcrfvtgb", "qazwsxedcrfvtgb", "q1w2e3r4t5z6u7i8o9p0", "q1w2e3r4t5y6u7i8o9p0",
		"1q2w3e4r5t6z7u8i9o0p", "1q2w3e4r5t6y7u8i9o0p", "a1b2c3d4e5f6g7h8i9j0", "1a2b3c4d5e6f7g8h9i0j", "147258369", "741852963", "123qweasdyxc", "123qweasdzxc"} {
		out = append(out, walks([]rune(row))...)
	}
	for year := 1930; year <= 2035; year++ {
		out = append(out, fmt.Sprint(year, year), fmt.Sprint(year, year+1), fmt.Sprint(year-1, year-2))
	}
	for a := range 100 {
		out = append(out, strings.Repeat(fmt.Sprintf("%02d", a), 4), strings.Repeat(fmt.Sprintf("%02d", a), 5), strings.Repeat(fmt.Sprintf("%02d", a), 6))
	}
	return out
}

// walks returns the parts of a row of four keys or more, in both directions. Parts of up
// to ten keys begin anywhere, longer ones at the beginning.
func walks(row []rune) []string {
	var out []string
	back := slices.Clone(row)
	slices.Reverse(back)
	for _, way := range [][]rune{row, back} {
		for from := range way {
			for to := from + wordLeast; to <= len(way); to++ {
				if part := string(way[from:to]); to-from <= 10 || from == 0 {
					out = append(out, part, part+part)
				}
			}
		}
	}
	return out
}

// entries folds words as the server folds a password, drops those that are too short to
// match, and sorts the rest.
func entries(words []string) []string {
	var out []string
	for _, word := range words {
		word = strings.ReplaceAll(strings.ToLower(word), "ß", "ss") // a test in mfa checks that this suffices
		n := utf8.RuneCountInString(word)
		bare := strings.TrimFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) })
		if n >= wholeLeast || n >= wordLeast && bare == word {
			out = append(out, word)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

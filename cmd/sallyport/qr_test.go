package main

import (
	"bytes"
	"crypto/rand"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"sallyport/mfa"
	"sallyport/storage"
)

func TestAQRCodeBecomesText(t *testing.T) {
	totp := mfa.NewTOTP(rand.Reader, "Sallyport", mfa.TOTPOptions{})
	handout, err := totp.Handout(storage.Authenticator{Method: "totp", Secret: []byte("12345678901234567890")}, "alice@example.com")
	if err != nil {
		t.Fatal(err)
	}
	m, err := modules(handout.QR)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(m); n < 21 || (n-17)%4 != 0 || len(m[0]) != n {
		t.Fatalf("%d rows of %d modules are no QR code", n, len(m[0]))
	}
	for _, corner := range [][2]int{{0, 0}, {0, len(m) - 7}, {len(m) - 7, 0}} {
		if !finder(m, corner[0], corner[1]) {
			t.Errorf("no finder pattern at %v", corner)
		}
	}
	for _, colour := range []bool{true, false} {
		lines := strings.Split(strings.TrimSuffix(halfBlocks(m, colour), "\n"), "\n")
		if want := (len(m) + 5) / 2; len(lines) != want {
			t.Errorf("%d lines, want %d", len(lines), want)
		}
		if got := undraw(lines, colour, len(m)); !same(got, m) {
			t.Errorf("colour %v: the text is another code", colour)
		}
	}
}

// finder reports whether the 7x7 finder pattern is at a place.
func finder(m [][]bool, row, column int) bool {
	for r := range 7 {
		for c := range 7 {
			ring := max(r-3, 3-r, c-3, 3-c)
			if m[row+r][column+c] != (ring != 2) {
				return false
			}
		}
	}
	return true
}

// undraw reads the modules back out of half blocks.
func undraw(lines []string, colour bool, n int) [][]bool {
	out := make([][]bool, n)
	for row := range out {
		line := lines[(row+2)/2]
		if colour {
			line = strings.TrimSuffix(strings.TrimPrefix(line, "\x1b[38;5;16;48;5;231m"), "\x1b[0m")
		}
		cells := []rune(line)
		for column := range n {
			half := strings.ContainsRune("█▀", cells[column+2])
			if row%2 == 1 {
				half = strings.ContainsRune("█▄", cells[column+2])
			}
			out[row] = append(out[row], half == colour)
		}
	}
	return out
}

func same(a, b [][]bool) bool {
	for i := range a {
		for j := range a[i] {
			if a[i][j] != b[i][j] {
				return false
			}
		}
	}
	return len(a) == len(b)
}

func TestAPictureThatIsNoQRCodeIsRefused(t *testing.T) {
	white := image.NewGray(image.Rect(0, 0, 40, 40))
	for i := range white.Pix {
		white.Pix[i] = 255
	}
	oblong := image.NewGray(image.Rect(0, 0, 40, 40))
	copy(oblong.Pix, white.Pix)
	for x := range 20 {
		oblong.SetGray(x, 3, color.Gray{})
	}
	for name, img := range map[string]image.Image{"an empty picture": white, "a line": oblong} {
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		if _, err := modules(b.Bytes()); err == nil {
			t.Errorf("%s was read as a QR code", name)
		}
	}
	if _, err := modules([]byte("no picture")); err == nil {
		t.Error("a text was read as a QR code")
	}
}

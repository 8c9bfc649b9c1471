package dev

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"image/color"
	"image/png"
	"strings"
	"testing"
	"unicode/utf8"

	"sallyport/mfa"
	"sallyport/mfa/totp"
	"sallyport/storage"
)

// The terminal shows, module by module, the code that pages show.
func TestQRCodeAsText(t *testing.T) {
	totp := totp.New(rand.Reader, "Sallyport", totp.Options{})
	handout, err := totp.Handout(storage.Authenticator{Method: "totp", Secret: []byte("12345678901234567890")}, mfa.Holder{Label: "alice@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(handout.QR))
	if err != nil {
		t.Fatal(err)
	}
	for _, colour := range []bool{true, false} {
		text, err := qrText(handout.URI, colour)
		if err != nil {
			t.Fatal(err)
		}
		m := undraw(strings.Split(strings.TrimSuffix(text, "\n"), "\n"), colour)
		n := len(m)
		if n < 21 || (n-17)%4 != 0 || len(m[0]) != n {
			t.Fatalf("%d rows of %d modules are no QR code", n, len(m[0]))
		}
		for _, corner := range [][2]int{{0, 0}, {0, n - 7}, {n - 7, 0}} {
			if !finder(m, corner[0], corner[1]) {
				t.Errorf("no finder pattern at %v", corner)
			}
		}
		size := picture.Bounds().Dx() / n
		margin := (picture.Bounds().Dx() - n*size) / 2
		for row := range m {
			for column, dark := range m[row] {
				seen := picture.At(margin+column*size+size/2, margin+row*size+size/2)
				if r, g, b, _ := seen.RGBA(); dark != (color.GrayModel.Convert(seen).(color.Gray).Y < 128) {
					t.Fatalf("colour %v: module %d, %d is dark: %v, in the picture it is %d %d %d", colour, row, column, dark, r, g, b)
				}
			}
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

// undraw reads the modules back out of half blocks, and takes off the quiet zone.
func undraw(lines []string, colour bool) [][]bool {
	for i := range lines {
		if colour {
			lines[i] = strings.TrimSuffix(strings.TrimPrefix(lines[i], "\x1b[38;5;16;48;5;231m"), "\x1b[0m")
		}
	}
	out := make([][]bool, utf8.RuneCountInString(lines[0])-4)
	for row := range out {
		cells := []rune(lines[(row+2)/2])
		for column := range out {
			half := strings.ContainsRune("█▀", cells[column+2])
			if row%2 == 1 {
				half = strings.ContainsRune("█▄", cells[column+2])
			}
			out[row] = append(out[row], half == colour)
		}
	}
	return out
}

func TestTextTooLongForAQRCodeIsRefused(t *testing.T) {
	if _, err := qrText(strings.Repeat("secret", 1000), true); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error = %v, want one without the text", err)
	}
}

// The picture of the television has the same modules as the code in the terminal.
func TestQRCodeAsPicture(t *testing.T) {
	const address = "http://localhost:8080/device?user_code=BCDF-GHJK"
	text, err := qrText(address, true)
	if err != nil {
		t.Fatal(err)
	}
	m := undraw(strings.Split(strings.TrimSuffix(text, "\n"), "\n"), true)
	picture, err := qrPicture(address)
	if err != nil {
		t.Fatal(err)
	}
	dark := 0
	for y := range m {
		for x := range m[y] {
			if drawn := strings.Contains(string(picture), fmt.Sprintf("M%d %dh1v1h-1z", x+4, y+4)); drawn != m[y][x] {
				t.Fatalf("module %d, %d: drawn %t, want %t", x, y, drawn, m[y][x])
			}
			if m[y][x] {
				dark++
			}
		}
	}
	if dark == 0 || strings.Count(string(picture), "h1v1") != dark {
		t.Errorf("%d modules, want %d", strings.Count(string(picture), "h1v1"), dark)
	}
	if _, err := qrPicture(strings.Repeat("x", 5000)); err == nil {
		t.Error("a code of 5,000 characters")
	}
}

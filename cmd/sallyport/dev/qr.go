package dev

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// qrText draws the QR code of a URI as text. Pages show the same code, which
// github.com/pquerna/otp draws with the same library at the same level.
func qrText(uri string, colour bool) (string, error) {
	code, err := qr.Encode(uri, qr.M, qr.Auto)
	if err != nil {
		return "", errors.New("draw QR code") // the cause may hold the secret
	}
	return halfBlocks(code, colour), nil
}

// qrPicture draws the QR code of an address as SVG, with the quiet zone of four modules that the
// standard asks for.
func qrPicture(address string) ([]byte, error) {
	code, err := qr.Encode(address, qr.M, qr.Auto)
	if err != nil {
		return nil, fmt.Errorf("draw QR code: %w", err)
	}
	const quiet = 4
	size := code.Bounds().Dx() + 2*quiet
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[1]d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%[1]dv%[1]dH0z"/><path d="`, size)
	for y := range code.Bounds().Dy() {
		for x := range code.Bounds().Dx() {
			if code.At(x, y) == color.Black {
				fmt.Fprintf(&b, "M%d %dh1v1h-1z", x+quiet, y+quiet)
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return b.Bytes(), nil
}

// halfBlocks draws a picture with a pixel for each module, two rows a line, with a quiet
// zone of two modules. With colours it is dark on light on any terminal; without, it draws
// the light modules, which fits a dark terminal.
func halfBlocks(code image.Image, colour bool) string {
	const quiet = 2
	at := func(row, column int) int {
		dark := image.Pt(column, row).In(code.Bounds()) && code.At(column, row) == color.Black
		if dark == colour {
			return 1
		}
		return 0
	}
	var b strings.Builder
	for row := -quiet; row < code.Bounds().Dy()+quiet; row += 2 {
		if colour {
			b.WriteString("\x1b[38;5;16;48;5;231m")
		}
		for column := -quiet; column < code.Bounds().Dx()+quiet; column++ {
			b.WriteString([]string{" ", "▄", "▀", "█"}[2*at(row, column)+at(row+1, column)])
		}
		if colour {
			b.WriteString("\x1b[0m")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

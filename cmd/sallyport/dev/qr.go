package dev

import (
	"errors"
	"image"
	"image/color"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// qrText draws the QR code of an otpauth URI as text. Pages show the same code, which
// github.com/pquerna/otp draws with the same library at the same level.
func qrText(uri string, colour bool) (string, error) {
	code, err := qr.Encode(uri, qr.M, qr.Auto)
	if err != nil {
		return "", errors.New("draw QR code") // the cause may hold the secret
	}
	return halfBlocks(code, colour), nil
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

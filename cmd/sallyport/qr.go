package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"strings"
)

// modules reads the dark modules out of a picture of a QR code. The picture is our
// own: square modules of whole pixels, dark on light, with a light margin.
func modules(picture []byte) ([][]bool, error) {
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil, fmt.Errorf("read QR code: %w", err)
	}
	box := darkBox(img)
	if box.Empty() {
		return nil, errors.New("read QR code: the picture is empty")
	}
	// The finder pattern in the upper left corner begins with a dark line of seven
	// modules (ISO/IEC 18004 section 6.3.3.1).
	run := 0
	for x := box.Min.X; x < box.Max.X && dark(img, x, box.Min.Y); x++ {
		run++
	}
	size := run / 7
	if size == 0 || box.Dx() != box.Dy() || box.Dx()%size != 0 {
		return nil, errors.New("read QR code: the picture is not one")
	}
	out := make([][]bool, box.Dy()/size)
	for row := range out {
		out[row] = make([]bool, box.Dx()/size)
		for column := range out[row] {
			out[row][column] = dark(img, box.Min.X+column*size+size/2, box.Min.Y+row*size+size/2)
		}
	}
	return out, nil
}

func dark(img image.Image, x, y int) bool {
	r, g, b, _ := img.At(x, y).RGBA()
	return r+g+b < 3*0x8000
}

// darkBox is the smallest box around everything dark.
func darkBox(img image.Image) image.Rectangle {
	var box image.Rectangle
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			if dark(img, x, y) {
				box = box.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return box
}

// halfBlocks draws modules as text, two rows a line, with a quiet zone of two
// modules. With colours it is dark on light whatever the terminal looks like;
// without, light modules are drawn, which is right on a dark terminal.
func halfBlocks(m [][]bool, colour bool) string {
	const quiet = 2
	at := func(row, column int) bool {
		row, column = row-quiet, column-quiet
		return row >= 0 && row < len(m) && column >= 0 && column < len(m) && m[row][column]
	}
	var b strings.Builder
	for row := 0; row < len(m)+2*quiet; row += 2 {
		if colour {
			b.WriteString("\x1b[38;5;16;48;5;231m")
		}
		for column := range len(m) + 2*quiet {
			upper, lower := at(row, column), at(row+1, column)
			if !colour {
				upper, lower = !upper, !lower
			}
			b.WriteString([]string{" ", "▄", "▀", "█"}[2*bit(upper)+bit(lower)])
		}
		if colour {
			b.WriteString("\x1b[0m")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

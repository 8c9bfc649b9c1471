package dev

import (
	"encoding/base32"
	"encoding/base64"
	"io"
	"strconv"
	"strings"
)

// generator creates secrets.
type generator struct{ random io.Reader }

func (d generator) bytes(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(d.random, b); err != nil {
		panic("no randomness: " + err.Error()) // as crypto/rand does
	}
	return b
}

func (d generator) base32(n int) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(d.bytes(n))
}

func (d generator) base64(n int) string { return base64.RawURLEncoding.EncodeToString(d.bytes(n)) }

// phrase returns a password that is easy to type: three words of 128 and two digits, about 27
// bits, which is enough for a server on loopback that counts failures.
func (d generator) phrase() string {
	b := d.bytes(4)
	list := strings.Fields(words)
	parts := []string{list[b[0]&127], list[b[1]&127], list[b[2]&127], strconv.Itoa(10 + int(b[3])%90)}
	return strings.Join(parts, "-")
}

// words are 128 short words of different sound that are easy to spell.
const words = `
acorn amber anchor apple april aspen autumn badge bamboo basil beacon birch blanket bottle breeze bridge
bronze bucket button cabin candle canoe canyon carpet castle cedar cellar cherry cinder clover cobalt copper
coral cotton cradle crane cricket crystal daisy dapple desert dolphin dragon drizzle ember falcon feather fennel
ferry fiddle flint forest fossil garden garnet ginger glacier goblet granite guitar hamlet harbor harvest hazel
heron hickory honey indigo island ivory jacket jasmine juniper kettle kitten ladder lagoon lantern lemon lilac
linen lobster magnet maple marble meadow melon mirror mitten monsoon nectar nutmeg olive orbit orchard otter
oyster paddle panda paper pebble pepper pigeon pillow planet plum pocket poplar prairie pumpkin quartz rabbit
raven ribbon river rocket saddle saffron salmon sandal silver spruce summer thunder timber tulip velvet walnut
`

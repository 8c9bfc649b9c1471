package mtls

import (
	"bytes"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// types are the short names of attribute types (RFC 4514 section 3, RFC 4519, RFC 5280 appendix A) by
// their object identifiers. Any other type is written as its identifier.
var types = map[string]string{
	"CN": "2.5.4.3", "SN": "2.5.4.4", "SERIALNUMBER": "2.5.4.5", "C": "2.5.4.6", "L": "2.5.4.7", "ST": "2.5.4.8", "STREET": "2.5.4.9",
	"O": "2.5.4.10", "OU": "2.5.4.11", "TITLE": "2.5.4.12", "BUSINESSCATEGORY": "2.5.4.15", "POSTALCODE": "2.5.4.17", "GN": "2.5.4.42",
	"GIVENNAME": "2.5.4.42", "ORGANIZATIONIDENTIFIER": "2.5.4.97", "UID": "0.9.2342.19200300.100.1.1", "DC": "0.9.2342.19200300.100.1.25",
	"EMAILADDRESS": "1.2.840.113549.1.9.1", "E": "1.2.840.113549.1.9.1",
}

// attribute is a type with a value: as text, or in DER if it was written so or is no text.
type attribute struct {
	kind string // object identifier
	text string
	der  []byte // nil: it is text
}

// Name is a distinguished name as its relative ones, in the order of the certificate. Those of several
// attributes have them in any order.
type Name [][]attribute

var errName = errors.New("is not a distinguished name in the form of RFC 4514, such as CN=client,O=Example,C=DE")

// ParseName parses a distinguished name in the string form of RFC 4514, whose order is the reverse of
// that in a certificate.
func ParseName(text string) (Name, error) {
	var out Name
	p := &nameParser{rest: text}
	for more := true; more; {
		var relative []attribute
		for plus := true; plus; {
			a, ok := p.attribute()
			if !ok {
				return nil, errName
			}
			relative = append(relative, a)
			plus = p.take('+')
		}
		out = append(out, relative)
		more = p.take(',')
	}
	if p.rest != "" {
		return nil, errName
	}
	slices.Reverse(out)
	return out, nil
}

type nameParser struct{ rest string }

func (p *nameParser) spaces() { p.rest = strings.TrimLeft(p.rest, " ") }

func (p *nameParser) take(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *nameParser) attribute() (attribute, bool) {
	p.spaces()
	name, _, ok := strings.Cut(p.rest, "=")
	if !ok {
		return attribute{}, false
	}
	p.rest = p.rest[len(name)+1:]
	kind, ok := typeOf(strings.TrimRight(name, " "))
	if !ok {
		return attribute{}, false
	}
	p.spaces()
	if p.take('#') {
		return p.encoded(kind)
	}
	text, ok := p.value()
	return attribute{kind: kind, text: text}, ok && text != ""
}

// typeOf returns the object identifier of a type by its short name or its numbers.
func typeOf(name string) (string, bool) {
	if id := types[strings.ToUpper(name)]; id != "" {
		return id, true
	}
	parts := strings.Split(name, ".")
	for _, part := range parts {
		if n, err := strconv.ParseUint(part, 10, 31); err != nil || strconv.FormatUint(n, 10) != part {
			return "", false
		}
	}
	return name, len(parts) > 1
}

// encoded reads a value in hexadecimal BER (RFC 4514 section 2.4).
func (p *nameParser) encoded(kind string) (attribute, bool) {
	end := strings.IndexAny(p.rest, ",+ ")
	if end < 0 {
		end = len(p.rest)
	}
	der, err := hex.DecodeString(p.rest[:end])
	p.rest = p.rest[end:]
	p.spaces()
	var value asn1.RawValue
	if err != nil {
		return attribute{}, false
	}
	if rest, err := asn1.Unmarshal(der, &value); err != nil || len(rest) > 0 {
		return attribute{}, false
	}
	return valueOf(kind, value), true
}

// value reads a text with escapes. Spaces around it do not count unless they are escaped.
func (p *nameParser) value() (string, bool) {
	var out []byte
	kept := 0 // what escaped spaces at the end keep
	for p.rest != "" && p.rest[0] != ',' && p.rest[0] != '+' {
		c := p.rest[0]
		p.rest = p.rest[1:]
		switch {
		case strings.IndexByte("\";<>\x00", c) >= 0:
			return "", false
		case c != '\\':
			if out = append(out, c); c != ' ' {
				kept = len(out)
			}
			continue
		case p.rest != "" && strings.IndexByte(` "#+,;<=>\`, p.rest[0]) >= 0:
			out = append(out, p.rest[0])
			p.rest = p.rest[1:]
		default:
			if len(p.rest) < 2 {
				return "", false
			}
			b, err := hex.DecodeString(p.rest[:2])
			if err != nil {
				return "", false
			}
			out = append(out, b...)
			p.rest = p.rest[2:]
		}
		kept = len(out)
	}
	return string(out[:kept]), utf8.Valid(out[:kept])
}

// relativeSET is a relative name in DER; the end of its name makes it a set for package asn1.
type relativeSET []struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// nameOf reads a subject in DER (RFC 5280 section 4.1.2.4).
func nameOf(der []byte) (Name, error) {
	var sequence []relativeSET
	if rest, err := asn1.Unmarshal(der, &sequence); err != nil || len(rest) > 0 {
		return nil, errName
	}
	out := make(Name, len(sequence))
	for i, relative := range sequence {
		for _, a := range relative {
			out[i] = append(out[i], valueOf(a.Type.String(), a.Value))
		}
	}
	return out, nil
}

// valueOf returns an attribute with its value as text, if it is one.
func valueOf(kind string, v asn1.RawValue) attribute {
	if v.Class == asn1.ClassUniversal && !v.IsCompound {
		switch v.Tag {
		case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String:
			if utf8.Valid(v.Bytes) {
				return attribute{kind: kind, text: string(v.Bytes)}
			}
		case asn1.TagBMPString:
			if len(v.Bytes)%2 == 0 {
				units := make([]uint16, len(v.Bytes)/2)
				for i := range units {
					units[i] = uint16(v.Bytes[2*i])<<8 | uint16(v.Bytes[2*i+1])
				}
				return attribute{kind: kind, text: string(utf16.Decode(units))}
			}
		}
	}
	return attribute{kind: kind, der: v.FullBytes}
}

// Equal reports whether two names have the same attributes in the same order. Their texts are compared
// exactly, whatever string type a certificate has them in: letter case and spaces matter.
func (n Name) Equal(other Name) bool {
	return slices.EqualFunc(n, other, func(a, b []attribute) bool {
		return slices.EqualFunc(sorted(a), sorted(b), func(x, y attribute) bool {
			return x.kind == y.kind && x.text == y.text && bytes.Equal(x.der, y.der)
		})
	})
}

func sorted(relative []attribute) []attribute {
	out := slices.Clone(relative)
	slices.SortFunc(out, func(a, b attribute) int {
		if c := strings.Compare(a.kind, b.kind); c != 0 {
			return c
		}
		if c := strings.Compare(a.text, b.text); c != 0 {
			return c
		}
		return bytes.Compare(a.der, b.der)
	})
	return out
}

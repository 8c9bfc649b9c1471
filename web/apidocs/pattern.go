package apidocs

import (
	"regexp/syntax"
	"strings"
)

// matching returns a short text that matches a pattern, or false. Turns have different texts.
func matching(pattern string, turn int) (string, bool) {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "", false
	}
	b := matched{turn: turn}
	ok := b.match(parsed)
	return b.String(), ok
}

// matched is the text for a pattern so far.
type matched struct {
	strings.Builder
	turn int
}

func (b *matched) match(p *syntax.Regexp) bool {
	switch p.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpStar, syntax.OpQuest:
		return true
	case syntax.OpLiteral:
		b.WriteString(string(p.Rune))
		return true
	case syntax.OpCharClass:
		b.WriteRune(pick(p.Rune, b.Len()*5+b.turn))
		return len(p.Rune) > 0
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('a')
		return true
	case syntax.OpCapture, syntax.OpPlus, syntax.OpAlternate:
		return b.match(p.Sub[0])
	case syntax.OpConcat:
		for _, part := range p.Sub {
			if !b.match(part) {
				return false
			}
		}
		return true
	case syntax.OpRepeat:
		for range p.Min {
			if !b.match(p.Sub[0]) {
				return false
			}
		}
		return true
	}
	return false
}

// pick returns a rune of a class, given as ranges. Other seeds choose other ones, so that an
// identifier looks like one.
func pick(ranges []rune, seed int) rune {
	var fitting []rune
	for _, c := range "3a7c19e5b4d20f86kqsxmz" {
		for i := 0; i+1 < len(ranges); i += 2 {
			if ranges[i] <= c && c <= ranges[i+1] {
				fitting = append(fitting, c)
			}
		}
	}
	switch {
	case len(fitting) > 0:
		return fitting[seed%len(fitting)]
	case len(ranges) > 0:
		return ranges[0]
	}
	return 0
}

package strict

import (
	"slices"

	"github.com/goccy/go-yaml/token"
)

// The time of the parser grows with the square of these three: 4 MiB of brackets, keys or
// empty values would take it an hour, and a body of the admin API may be any text. No
// desired state needs as many.
const (
	maxDepth = 64  // collections within collections
	maxKeys  = 256 // keys of one block collection
	maxOdd   = 256 // empty values, tags, anchors, aliases: the reader refuses them anyway
)

// level is an open collection: a flow collection in brackets, or a block collection at a column.
type level struct {
	opened token.Type // the type of its bracket; zero for a block collection
	column int
	keys   int
	paired bool // the current entry in braces has its colon
}

// bounds counts, token by token, what the parser is slow at.
type bounds struct {
	levels []level
	odd    int
}

// exceeded returns the first token that exceeds a bound, and the text of its fault.
func exceeded(tokens token.Tokens) (*token.Token, string) {
	// There may be a comment between any two tokens.
	tokens = slices.DeleteFunc(slices.Clone(tokens), func(t *token.Token) bool { return t.Type == token.CommentType })
	var b bounds
	for i, t := range tokens {
		var before, after *token.Token
		if i > 0 {
			before = tokens[i-1]
		}
		if i+1 < len(tokens) {
			after = tokens[i+1]
		}
		b.take(before, t, after)
		switch {
		case len(b.levels) > maxDepth:
			return t, "more than 64 levels within each other"
		case len(b.levels) > 0 && b.levels[len(b.levels)-1].keys > maxKeys:
			return t, "more than 256 keys in one place"
		case b.odd > maxOdd:
			return t, "more than 256 values that are empty, or anchors, aliases and tags"
		}
	}
	return nil, ""
}

func (b *bounds) take(before, t, after *token.Token) {
	switch t.Type {
	case token.SequenceStartType, token.MappingStartType:
		b.levels = append(b.levels, level{opened: t.Type})
	case token.SequenceEndType, token.MappingEndType:
		b.entry(before)
		b.close()
	case token.CollectEntryType:
		b.entry(before)
	case token.SequenceEntryType:
		b.block(t, after, t.Position.Column)
	case token.MappingValueType:
		b.pair(before, t, after)
	case token.MappingKeyType:
		b.odd++
		b.block(t, after, t.Position.Column)
	case token.TagType, token.AnchorType, token.AliasType, token.MergeKeyType:
		b.odd++
	}
}

// top returns the innermost level, or nil.
func (b *bounds) top() *level {
	if len(b.levels) == 0 {
		return nil
	}
	return &b.levels[len(b.levels)-1]
}

// entry ends an entry in brackets. One in braces that had no colon has no value.
func (b *bounds) entry(before *token.Token) {
	l := b.top()
	if l == nil || l.opened != token.MappingStartType {
		return
	}
	if !l.paired && before.Type != token.MappingStartType && before.Type != token.CollectEntryType {
		b.odd++
	}
	l.paired = false
}

// close ends the innermost level. The parser checks that the brackets match.
func (b *bounds) close() {
	if len(b.levels) > 0 {
		b.levels = b.levels[:len(b.levels)-1]
	}
}

// pair counts a key when its colon is read.
func (b *bounds) pair(before, t, after *token.Token) {
	if l := b.top(); l != nil && l.opened != token.UnknownType {
		l.paired = true
		if after == nil || after.Type == token.CollectEntryType || after.Type == token.MappingEndType || after.Type == token.SequenceEndType {
			b.odd++
		}
		return
	}
	column := t.Position.Column
	if before != nil && before.Position.Line == t.Position.Line {
		column = before.Position.Column
	}
	b.block(t, after, column)
	b.top().keys++
}

// block makes the block collection at a column the innermost level, and counts an empty
// value. Inside brackets columns have no meaning.
func (b *bounds) block(t, after *token.Token, column int) {
	for l := b.top(); l != nil && l.opened == token.UnknownType && l.column > column; l = b.top() {
		b.close()
	}
	l := b.top()
	if l != nil && l.opened != token.UnknownType {
		return
	}
	if l == nil || l.column < column {
		b.levels = append(b.levels, level{column: column})
	}
	switch {
	case after == nil:
		b.odd++
	case after.Position.Line == t.Position.Line || after.Position.Column > column:
	case after.Position.Column == column && after.Type == token.SequenceEntryType && t.Type == token.MappingValueType:
		// a list may be at the column of its key
	default:
		b.odd++
	}
}

package strict

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// Object reads a parsed JSON object, with numbers as json.Number, into the struct that target
// points to, and reports the faults that Decode would, without lines.
func Object(members map[string]any, target any) *Reader {
	r := New()
	r.value("", nodeOf(members), reflect.ValueOf(target).Elem())
	clear(r.lines)
	for i := range r.faults {
		r.faults[i].Line = 0
	}
	return r
}

// nodeOf returns the node the parser creates for a value; null for types that JSON does not have.
func nodeOf(value any) ast.Node {
	switch x := value.(type) {
	case string:
		return &ast.StringNode{BaseNode: &ast.BaseNode{}, Token: tokenOf(x), Value: x}
	case bool:
		return &ast.BoolNode{BaseNode: &ast.BaseNode{}, Token: tokenOf(strconv.FormatBool(x)), Value: x}
	case json.Number:
		return numberOf(x)
	case []any:
		n := &ast.SequenceNode{BaseNode: &ast.BaseNode{}, Start: tokenOf("[")}
		for _, item := range x {
			n.Values = append(n.Values, nodeOf(item))
		}
		return n
	case map[string]any:
		n := &ast.MappingNode{BaseNode: &ast.BaseNode{}, Start: tokenOf("{")}
		for _, name := range SortedKeys(x) {
			key := &ast.StringNode{BaseNode: &ast.BaseNode{}, Token: tokenOf(name), Value: name}
			n.Values = append(n.Values, &ast.MappingValueNode{BaseNode: &ast.BaseNode{}, Start: tokenOf(":"), Key: key, Value: nodeOf(x[name])})
		}
		return n
	}
	return &ast.NullNode{BaseNode: &ast.BaseNode{}, Token: tokenOf("null")}
}

// numberOf returns an integer or a float node, as the parser would.
func numberOf(n json.Number) ast.Node {
	if i, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
		return &ast.IntegerNode{BaseNode: &ast.BaseNode{}, Token: tokenOf(n.String()), Value: i}
	}
	if f, err := n.Float64(); err == nil && !math.IsInf(f, 0) {
		return &ast.FloatNode{BaseNode: &ast.BaseNode{}, Token: tokenOf(n.String()), Value: f}
	}
	return &ast.NullNode{BaseNode: &ast.BaseNode{}, Token: tokenOf("null")}
}

func tokenOf(text string) *token.Token {
	return &token.Token{Value: text, Position: &token.Position{}}
}

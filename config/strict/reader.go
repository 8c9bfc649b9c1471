package strict

import (
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"

	"sallyport/input"
)

// maxFile is the maximum size of a file in bytes.
const maxFile = 4 << 20

// Reader decodes a YAML document into a struct, keeps the line of every key and collects
// all faults instead of stopping at the first.
type Reader struct {
	source string
	lines  map[string]int
	faults Faults
	// Broken reports that the file could not be parsed, so that missing keys are no faults.
	Broken bool
	// variables are the environment variables of keys, which take precedence over the file.
	variables map[string]string
	faulty    map[string]bool // paths that have a fault
	// unread are the keys whose values could not be read. Checks of them are not reported.
	unread map[string]bool
	// within has the paths of keys that the operator chose, in a set whose keys are open, with
	// the path of that set. Faults show the set only: a secret may be where a key belongs.
	within map[string]string
}

// Decode reads text into the struct that target points to.
func Decode(source string, text []byte, target any) *Reader {
	r := New()
	r.source = source
	if len(text) > maxFile {
		r.Broken = true
		r.Fault("", "the file is larger than 4 MiB")
		return r
	}
	content, err := input.Text(text)
	if err != nil {
		r.Broken = true
		r.encoding(err)
		return r
	}
	tokens := lexer.Tokenize(content)
	if t, beyond := exceeded(tokens); t != nil {
		r.Broken = true
		r.faults = append(r.faults, Fault{Source: source, Line: t.Position.Line, Text: beyond})
		return r
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		r.syntax(err)
		return r
	}
	if len(file.Docs) > 1 {
		r.Broken = true
		r.Fault("", "more than one document in the file")
		return r
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil || file.Docs[0].Body.Type() == ast.CommentType {
		return r // an empty file is allowed
	}
	r.value("", file.Docs[0].Body, reflect.ValueOf(target).Elem())
	return r
}

func (r *Reader) value(path string, node ast.Node, v reflect.Value) {
	if _, known := r.lines[path]; !known {
		if t := node.GetToken(); t != nil && t.Position != nil {
			r.lines[path] = t.Position.Line
		}
	}
	switch node.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		r.Fault(path, "anchors, aliases and tags are not supported")
		return
	case *ast.NullNode:
		r.Fault(path, "has no value; leave the key out instead")
		return
	}
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		r.duration(path, node, v)
	case v.Type() == reflect.TypeFor[time.Time]():
		r.moment(path, node, v)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		r.value(path, node, v.Elem())
	case v.Kind() == reflect.Struct:
		r.fields(path, node, v)
	case v.Kind() == reflect.Slice:
		r.list(path, node, v)
	case v.Kind() == reflect.Map:
		r.table(path, node, v)
	default:
		r.scalar(path, node, v)
	}
}

// pairs returns the key-value pairs of a mapping; the parser has another type for a single pair.
func (r *Reader) pairs(path string, node ast.Node) []*ast.MappingValueNode {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	r.Fault(path, "must be a set of keys and values")
	return nil
}

// key returns the text of a key; false: its form is not supported.
func (r *Reader) key(path string, pair *ast.MappingValueNode) (string, bool) {
	token := pair.Key.GetToken()
	if _, plain := pair.Key.(*ast.StringNode); !plain || token == nil {
		r.Fault(path, "every key must be plain text")
		return "", false
	}
	return token.Value, true
}

// Join returns the path of a key in the keys at path.
func Join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (r *Reader) fields(path string, node ast.Node, v reflect.Value) {
	for _, pair := range r.pairs(path, node) {
		name, ok := r.key(path, pair)
		if !ok {
			continue
		}
		inner := Join(path, name)
		r.lines[inner] = pair.Key.GetToken().Position.Line
		field, ok := fieldOf(v, name)
		if !ok {
			r.within[inner] = path
			r.Fault(inner, "%s", input.NoSuchKey(name, keysOf(v.Type())))
			continue
		}
		r.value(inner, pair.Value, field)
	}
}

// fieldOf returns the field with a yaml tag.
func fieldOf(v reflect.Value, name string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if tag := v.Type().Field(i).Tag.Get("yaml"); tag != "" && tag == name {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// keysOf returns the keys of a struct.
func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("yaml"); tag != "" {
			keys = append(keys, tag)
		}
	}
	return keys
}

func (r *Reader) list(path string, node ast.Node, v reflect.Value) {
	n, ok := node.(*ast.SequenceNode)
	if !ok {
		r.Fault(path, "must be a list")
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Values), len(n.Values))
	for i, item := range n.Values {
		r.value(path+"["+strconv.Itoa(i)+"]", item, out.Index(i))
	}
	v.Set(out)
}

// table reads a map of text to text, or of text to anything.
func (r *Reader) table(path string, node ast.Node, v reflect.Value) {
	out := reflect.MakeMap(v.Type())
	for _, pair := range r.pairs(path, node) {
		name, ok := r.key(path, pair)
		if !ok {
			continue
		}
		inner := Join(path, name)
		r.lines[inner] = pair.Key.GetToken().Position.Line
		r.within[inner] = path
		item := reflect.New(v.Type().Elem()).Elem()
		r.value(inner, pair.Value, item)
		out.SetMapIndex(reflect.ValueOf(name), item)
	}
	v.Set(out)
}

func (r *Reader) duration(path string, node ast.Node, v reflect.Value) {
	s, ok := node.(*ast.StringNode)
	if !ok {
		r.Fault(path, `must be a duration such as "90s", "10m" or "720h"`)
		return
	}
	d, err := time.ParseDuration(s.Value)
	if err != nil {
		r.Fault(path, `must be a duration such as "90s", "10m" or "720h"`)
		return
	}
	v.SetInt(int64(d))
}

// moment reads a time with its zone (RFC 3339), and keeps it in UTC.
func (r *Reader) moment(path string, node ast.Node, v reflect.Value) {
	s, _ := text(node)
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		r.Fault(path, `must be a time with its zone such as "2027-01-31T18:00:00Z" or "2027-01-31T19:00:00+01:00"`)
		return
	}
	v.Set(reflect.ValueOf(t.UTC()))
}

func (r *Reader) scalar(path string, node ast.Node, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if s, ok := text(node); ok {
			v.SetString(s)
			return
		}
		// Numbers are refused: 0123 would silently become another password.
		r.Fault(path, "must be text; put it in quotes")
	case reflect.Bool:
		if b, ok := node.(*ast.BoolNode); ok {
			v.SetBool(b.Value)
			return
		}
		r.Fault(path, "must be true or false")
	case reflect.Int, reflect.Int64, reflect.Uint8, reflect.Uint32:
		r.number(path, node, v)
	case reflect.Float64:
		r.fraction(path, node, v)
	case reflect.Interface:
		r.anything(path, node, v)
	default:
		r.Fault(path, "cannot be read")
	}
}

func text(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	}
	return "", false
}

func (r *Reader) number(path string, node ast.Node, v reflect.Value) {
	n, ok := integer(node)
	if !ok || n < 0 {
		r.Fault(path, "must be a whole number, 0 or greater")
		return
	}
	if v.CanUint() {
		if v.OverflowUint(uint64(n)) {
			r.Fault(path, "is too large")
			return
		}
		v.SetUint(uint64(n))
		return
	}
	v.SetInt(n)
}

func (r *Reader) fraction(path string, node ast.Node, v reflect.Value) {
	if n, ok := node.(*ast.FloatNode); ok {
		v.SetFloat(n.Value)
		return
	}
	if n, ok := integer(node); ok {
		v.SetFloat(float64(n))
		return
	}
	r.Fault(path, "must be a number such as 0.1")
}

func integer(node ast.Node) (int64, bool) {
	n, ok := node.(*ast.IntegerNode)
	if !ok {
		return 0, false
	}
	switch x := n.Value.(type) {
	case int64:
		return x, true
	case uint64:
		return int64(x & math.MaxInt64), x <= math.MaxInt64
	}
	return 0, false
}

// anything reads a value whose type the struct leaves open (profile claims).
func (r *Reader) anything(path string, node ast.Node, v reflect.Value) {
	if s, ok := text(node); ok {
		v.Set(reflect.ValueOf(s))
		return
	}
	switch n := node.(type) {
	case *ast.BoolNode:
		v.Set(reflect.ValueOf(n.Value))
	case *ast.IntegerNode:
		i, ok := integer(node)
		if !ok {
			r.Fault(path, "is too large")
			return
		}
		v.Set(reflect.ValueOf(i))
	case *ast.SequenceNode:
		var list []any
		r.value(path, node, reflect.ValueOf(&list).Elem())
		v.Set(reflect.ValueOf(list))
	case *ast.MappingNode, *ast.MappingValueNode:
		var table map[string]any
		r.value(path, node, reflect.ValueOf(&table).Elem())
		v.Set(reflect.ValueOf(table))
	default:
		r.Fault(path, "must be text, a whole number, true, false, a list or a set of keys")
	}
}

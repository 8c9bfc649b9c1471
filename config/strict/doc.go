// Package strict reads a strict subset of YAML (no anchors, aliases, tags or second
// documents) into structs, and reports every fault with its line instead of stopping at the
// first. A fault never quotes a value, because values may be passwords. The package also
// writes the reference of such a struct from the comments of its fields.
//
// Settings and the desired state are read with it. JSON is YAML, and is read as well.
package strict

// Package strict reads YAML into structs in a strict subset (no anchors, aliases, tags or
// second documents) and names every fault with its line instead of stopping at the first. It
// never quotes a value in a fault, because what it reads may hold passwords. It also writes
// the reference of such a struct, from the comments of its fields.
//
// Settings and the desired state are read with it. JSON is YAML, and is read as well.
package strict

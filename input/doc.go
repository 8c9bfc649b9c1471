// Package input reads text that people wrote: the files of operators, codes as they are
// typed or pasted, and names that others will see. Each has one function, so that a value is
// accepted or refused alike wherever it arrives.
package input

package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"sallyport/config"
)

// effect is what a setting changes outside package config.
type effect struct {
	value string                // as its variable holds it; not the default
	with  map[string]string     // further settings of both servers, by variable without its prefix
	also  map[string]string     // further settings of the server that has the value
	show  func(s *trial) string // what can be seen of a server
	want  string                // seen with the value, and not without it
}

// TestEverySettingHasAnEffect compares a server without each setting with one that has it. A
// setting without a row fails. A row is named after its setting; a comma and a word make
// further rows of the same setting.
func TestEverySettingHasAnEffect(t *testing.T) {
	o := newTrialSource(t)
	rows := map[string]effect{}
	for _, some := range []map[string]effect{o.listeners(t), o.files(t), o.names(), o.tracing(t), o.lifetimes(), o.passwords(t), o.limits(), o.delivery(t), o.signUps(t), o.codes(t), o.passkeys(t), o.fetch(t), o.mutual(t)} {
		maps.Copy(rows, some)
	}
	variables, shown := map[string]string{}, map[string]bool{}
	for variable, path := range config.Variables() {
		variables[path] = variable
	}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		path, _, _ := strings.Cut(name, ",")
		e, variable := rows[name], variables[path]
		if shown[path] = true; variable == "" {
			t.Errorf("%s: a row for no setting", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			without, with := o.trial(t, e.with), o.trial(t, e.with, e.also)
			with.environ[variable] = e.value
			before := e.show(without)
			if after := e.show(with); strings.Contains(before, e.want) || !strings.Contains(after, e.want) {
				t.Errorf("%s=%s: want %q with it and not without it, got\n%.900s\nand without it\n%.900s", variable, e.value, e.want, after, before)
			}
		})
	}
	for path := range variables {
		if !shown[path] {
			t.Errorf("%s: no row shows what it changes", path)
		}
	}
}

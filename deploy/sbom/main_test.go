package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
)

func TestDescribeListsEveryModule(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.3"},
		Settings: []debug.BuildSetting{{Key: "vcs.time", Value: "2026-11-21T07:45:28Z"}},
		Deps: []*debug.Module{
			{Path: "example.com/a", Version: "v1.0.0", Sum: "h1:x"},
			{Path: "example.com/b", Version: "v2.0.0", Replace: &debug.Module{Path: "example.com/c", Version: "v3.0.0"}},
		}}
	got := describe(info, [32]byte{1, 2, 3}, map[string]string{"example.com/a": "MIT", "example.com/c": "ISC"})
	if got.Metadata.Timestamp != "2026-11-21T07:45:28Z" || got.Metadata.Component.Version != "v1.2.3" {
		t.Errorf("metadata = %+v", got.Metadata)
	}
	if !regexp.MustCompile(`^urn:uuid:01020300-0000-8000-8000-0{12}$`).MatchString(got.SerialNumber) {
		t.Errorf("serial number = %s", got.SerialNumber)
	}
	var names []string
	for _, c := range got.Components {
		names = append(names, c.PURL+" "+c.Licences[0].Licence.ID)
	}
	if want := "pkg:golang/std@1.26.8 BSD-3-Clause, pkg:golang/example.com/a@v1.0.0 MIT, pkg:golang/example.com/c@v3.0.0 ISC"; strings.Join(names, ", ") != want {
		t.Errorf("components = %q, want %q", strings.Join(names, ", "), want)
	}
	if text, err := json.Marshal(got); err != nil || !strings.Contains(string(text), `"dependsOn":["std","pkg:golang/example.com/a@v1.0.0","pkg:golang/example.com/c@v3.0.0"]`) {
		t.Errorf("%s, %v", text, err)
	}
}

func TestUnknownLicenceIsRefused(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"MIT", "Permission is hereby granted, free of charge, to any person\n   obtaining a copy", "MIT"},
		{"three clauses", "Redistribution and use in source and binary forms ... Neither the name of X", "BSD-3-Clause"},
		{"two clauses", "Redistribution and use in source and binary forms, with or without", "BSD-2-Clause"},
		{"Apache", "Apache License\nVersion 2.0, January 2004", "Apache-2.0"},
		{"GPL", "GNU GENERAL PUBLIC LICENSE Version 3", ""},
		{"nothing", "", ""},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "LICENSE.txt"), []byte(tc.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := licenceIn(dir)
		if got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%s: %q, %v, want %q", tc.name, got, err, tc.want)
		}
	}
	if _, err := licenceIn(t.TempDir()); err == nil {
		t.Error("a module without a licence was accepted")
	}
}

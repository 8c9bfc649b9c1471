// Command sbom writes the bill of materials of a Go binary, in CycloneDX 1.6, to standard
// output:
//
//	go run ./deploy/sbom bin/sallyport
//
// It reads the build information of the binary, and the licences from the module cache.
// Run it in the tree the binary was built from. The same binary gives the same bytes. An
// unknown licence is an error: a release must not contain unreviewed terms.
package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: sbom BINARY")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(binary string, w io.Writer) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("read build information: %w", err)
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("read binary: %w", err)
	}
	licences, err := licencesOf(info.Deps)
	if err != nil {
		return err
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(describe(info, sha256.Sum256(content), licences))
}

// bom is the part of CycloneDX 1.6 that sbom uses.
type bom struct {
	Schema       string       `json:"$schema"`
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	SerialNumber string       `json:"serialNumber"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Timestamp string    `json:"timestamp,omitempty"` // of the commit
	Component component `json:"component"`
}

type component struct {
	Ref        string     `json:"bom-ref"`
	Type       string     `json:"type"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	PURL       string     `json:"purl,omitempty"`
	Hashes     []hash     `json:"hashes,omitempty"`
	Licences   []licence  `json:"licenses,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Alg     string `json:"alg"`
	Content string `json:"content"`
}

type licence struct {
	Licence struct {
		ID string `json:"id"`
	} `json:"license"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn,omitempty"`
}

// describe returns the bill of materials. licences is keyed by module path.
func describe(info *debug.BuildInfo, sum [32]byte, licences map[string]string) bom {
	product := component{Ref: "sallyport", Type: "application", Name: "sallyport", Version: info.Main.Version,
		Hashes: []hash{{"SHA-256", fmt.Sprintf("%x", sum)}}, Licences: under("Apache-2.0")}
	out := bom{Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", SpecVersion: "1.6", Version: 1,
		SerialNumber: serial(sum)}
	for _, s := range info.Settings {
		product.Properties = append(product.Properties, property{"go:build:" + s.Key, s.Value})
		if s.Key == "vcs.time" {
			out.Metadata.Timestamp = s.Value
		}
	}
	standard := component{Ref: "std", Type: "library", Name: "std", Version: strings.TrimPrefix(info.GoVersion, "go"), Licences: under("BSD-3-Clause")}
	standard.PURL = "pkg:golang/std@" + standard.Version
	out.Metadata.Component = product
	out.Components = []component{standard}
	all := dependency{Ref: product.Ref, DependsOn: []string{standard.Ref}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		c := component{Type: "library", Name: m.Path, Version: m.Version, PURL: "pkg:golang/" + m.Path + "@" + m.Version,
			Licences: under(licences[m.Path]), Properties: []property{{"go:sum", m.Sum}}}
		c.Ref = c.PURL
		out.Components = append(out.Components, c)
		all.DependsOn = append(all.DependsOn, c.Ref)
	}
	out.Dependencies = []dependency{all}
	return out
}

// serial returns a serial number derived from the binary (RFC 9562 section 5.8).
func serial(sum [32]byte) string {
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

func under(id string) []licence {
	if id == "" {
		return nil
	}
	l := licence{}
	l.Licence.ID = id
	return []licence{l}
}

// licencesOf returns the licences of modules, found in the module cache.
func licencesOf(modules []*debug.Module) (map[string]string, error) {
	if len(modules) == 0 {
		return nil, nil
	}
	args := []string{"list", "-m", "-f", "{{.Path}}\t{{.Dir}}"}
	for _, m := range modules {
		args = append(args, m.Path)
	}
	cmd := exec.Command("go", args...)
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("find modules: %w", err)
	}
	out := map[string]string{}
	var faults []error
	for line := range strings.Lines(string(text)) {
		path, dir, _ := strings.Cut(strings.TrimSpace(line), "\t")
		id, err := licenceIn(dir)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", path, err))
		}
		out[path] = id
	}
	return out, errors.Join(faults...)
}

func licenceIn(dir string) (string, error) {
	if dir == "" {
		return "", errors.New("not in the module cache")
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, f := range files {
		name := strings.ToUpper(f.Name())
		if f.IsDir() || !slices.ContainsFunc([]string{"LICENSE", "LICENCE", "COPYING", "UNLICENSE"}, func(s string) bool { return strings.HasPrefix(name, s) }) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return "", err
		}
		if id := recognise(text); id != "" {
			return id, nil
		}
	}
	return "", errors.New("unknown licence")
}

// phrases identify the accepted licences (SPDX names). The first match wins.
var phrases = []struct {
	id   string
	says []string
}{
	{"Apache-2.0", []string{"apache license", "version 2.0"}},
	{"MPL-2.0", []string{"mozilla public license", "2.0"}},
	{"BSD-3-Clause", []string{"redistribution and use in source and binary forms", "neither the name"}},
	{"BSD-3-Clause", []string{"redistribution and use in source and binary forms", "names of its contributors may be used to endorse"}},
	{"BSD-2-Clause", []string{"redistribution and use in source and binary forms"}},
	{"ISC", []string{"permission to use, copy, modify, and/or distribute this software for any purpose"}},
	{"ISC", []string{"permission to use, copy, modify, and distribute this software for any purpose"}},
	{"MIT", []string{"permission is hereby granted, free of charge, to any person obtaining a copy"}},
}

func recognise(text []byte) string {
	plain := strings.Join(strings.Fields(string(bytes.ToLower(text))), " ")
	for _, p := range phrases {
		if !slices.ContainsFunc(p.says, func(s string) bool { return !strings.Contains(plain, s) }) {
			return p.id
		}
	}
	return ""
}

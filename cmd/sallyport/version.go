package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime/debug"
	"text/tabwriter"

	"sallyport/cmd/sallyport/cli"
)

// identity describes a binary, as the compiler recorded it.
type identity struct {
	Version  string            `json:"version"`
	Commit   string            `json:"commit,omitempty"`
	Date     string            `json:"date,omitempty"`     // of the commit
	Modified bool              `json:"modified,omitempty"` // built from files that differ from that commit
	Go       string            `json:"go"`
	Platform string            `json:"platform"`
	Modules  map[string]string `json:"modules,omitempty"`
}

// identify returns the identity in a binary's build information.
func identify(info *debug.BuildInfo) identity {
	id := identity{Version: info.Main.Version, Go: info.GoVersion}
	if id.Version == "" || id.Version == "(devel)" {
		id.Version = "development"
	}
	var system, processor string
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			id.Commit = s.Value
		case "vcs.time":
			id.Date = s.Value
		case "vcs.modified":
			id.Modified = s.Value == "true"
		case "GOOS":
			system = s.Value
		case "GOARCH":
			processor = s.Value
		}
	}
	id.Platform = system + "/" + processor
	return id
}

func versionCommand(_ context.Context, p *cli.Program, args []string) error {
	f := p.Flags("version", "print the version, the commit and the modules of this binary", "[flags]",
		"A release has a version and a commit. The version of any other build is \"development\".")
	modules := f.Bool("v", false, "also print the versions of all modules")
	asJSON := f.Bool("json", false, "print JSON")
	if err := f.Parse(args, 0); err != nil {
		return err
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return fmt.Errorf("this binary was built without build information")
	}
	id := identify(info)
	if *asJSON {
		id.Modules = map[string]string{}
		for _, m := range info.Deps {
			id.Modules[m.Path] = m.Version
		}
		return json.NewEncoder(p.Out).Encode(id)
	}
	id.write(p.Out)
	if *modules {
		return writeModules(p.Out, info.Deps)
	}
	return nil
}

func (id identity) write(w io.Writer) {
	fmt.Fprintf(w, "sallyport %s\n", id.Version)
	if id.Commit != "" {
		fmt.Fprintf(w, "commit    %s\n", id.Commit)
		fmt.Fprintf(w, "date      %s\n", id.Date)
	}
	if id.Modified {
		fmt.Fprintln(w, "          built from files that differ from this commit")
	}
	fmt.Fprintf(w, "go        %s %s\n", id.Go, id.Platform)
}

func writeModules(w io.Writer, modules []*debug.Module) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t)
	for _, m := range modules {
		if m.Replace != nil {
			m = m.Replace
		}
		fmt.Fprintf(t, "%s\t%s\n", m.Path, m.Version)
	}
	return t.Flush()
}

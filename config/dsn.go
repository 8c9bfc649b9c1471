package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"sallyport/config/strict"
	"sallyport/input"
)

func (c Config) checkDatabase(r *strict.Reader) {
	d := c.Database
	r.OneOf("database.tls", d.TLS, []string{"verified", "encrypted", "any"})
	switch {
	case d.DSN == "" && d.DSNFile == "":
		r.Fault("database", "either dsn or dsn_file is required")
		return
	case d.DSN != "" && d.DSNFile != "":
		r.Fault("database", "dsn and dsn_file exclude each other")
		return
	case d.DSN == "":
		return
	}
	if dsnPassword(d.DSN) {
		r.Fault("database.dsn", "holds a password; put the whole value into a file and name it in database.dsn_file")
	}
	if text := d.fault(d.DSN); text != "" {
		r.Fault("database.dsn", "%s", text)
	}
}

// fault returns what is wrong with a DSN, without quoting it; "": nothing.
func (d Database) fault(dsn string) string {
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		if path == "" {
			return "names no file after sqlite:"
		}
		return ""
	}
	a, ok := postgres(dsn)
	if !ok {
		return "must begin with postgres:// or sqlite:"
	}
	if !a.far() {
		return ""
	}
	// No sslmode, prefer and allow fall back to plaintext when the server, or an attacker
	// on the network, declines TLS.
	mode := a.mode()
	switch {
	case d.TLS == "any", mode == "verify-full", mode == "verify-ca", mode == "require" && d.TLS == "encrypted":
		return ""
	case d.TLS == "encrypted":
		return "names a database on another machine without TLS: it needs sslmode=verify-full, or sslmode=require at least"
	}
	return "names a database on another machine without TLS that verifies the server: it needs sslmode=verify-full; database.tls can allow less"
}

// address is a parsed PostgreSQL address.
type address struct {
	hosts      []string
	password   bool
	service    bool // it names a service file, which may name any host
	parameters url.Values
}

// postgres parses a DSN as libpq does: the user ends at the first "@" before any "/";
// several hosts are separated by commas, each with its port.
func postgres(dsn string) (address, bool) {
	scheme, rest, found := strings.Cut(dsn, "://")
	if !found || scheme != "postgres" && scheme != "postgresql" {
		return address{}, false
	}
	var a address
	if i := strings.IndexAny(rest, "@/"); i >= 0 && rest[i] == '@' {
		a.password = strings.Contains(rest[:i], ":")
		rest = rest[i+1:]
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, _, _ := strings.Cut(rest, "/")
	hosts, err := url.PathUnescape(authority)
	if err != nil {
		return address{}, false
	}
	if a.parameters, err = url.ParseQuery(query); err != nil {
		return address{}, false
	}
	a.password = a.password || a.parameters.Has("password") || a.parameters.Has("sslpassword")
	for host := range strings.SplitSeq(hosts, ",") {
		a.hosts = append(a.hosts, hostOf(host))
	}
	for _, more := range a.parameters["host"] { // without ports, which are another parameter
		a.hosts = append(a.hosts, strings.Split(more, ",")...)
	}
	a.service = a.parameters.Has("service")
	if !slices.ContainsFunc(a.hosts, func(host string) bool { return host != "" }) {
		// The driver reads the environment then.
		a.hosts = strings.Split(os.Getenv("PGHOST"), ",")
		a.service = a.service || os.Getenv("PGSERVICE") != ""
	}
	return a, true
}

// mode returns the sslmode; "" if that is ambiguous.
func (a address) mode() string {
	if len(a.parameters["sslmode"]) != 1 || a.parameters.Has("ssl") {
		return ""
	}
	return a.parameters.Get("sslmode")
}

// far reports whether the database may be on another machine.
func (a address) far() bool { return a.service || slices.ContainsFunc(a.hosts, remote) }

// remote reports whether a host is another machine: not empty, not the folder of a
// socket, not a loopback address.
func remote(host string) bool {
	return host != "" && !strings.HasPrefix(host, "/") && !input.Loopback(host)
}

// hostOf returns a host without its port, and any other text as it is.
func hostOf(text string) string {
	if _, err := netip.ParseAddr(text); err == nil {
		return text
	}
	host, port, _ := strings.Cut(text, ":")
	if inner, ok := strings.CutPrefix(text, "["); ok { // an IPv6 address, before its port
		host, port, ok = strings.Cut(inner, "]")
		if !ok {
			return text
		}
		port = strings.TrimPrefix(port, ":")
	}
	if strings.Trim(port, "0123456789") != "" {
		return text
	}
	return host
}

func dsnPassword(dsn string) bool {
	a, ok := postgres(dsn)
	return ok && a.password
}

// ReadDSN returns the data source name, from its file if it has one.
func (c Config) ReadDSN() (Secret, error) {
	if c.Database.DSNFile == "" {
		return Secret(c.Database.DSN), nil
	}
	text, err := os.ReadFile(c.Database.DSNFile)
	if err != nil {
		return "", fmt.Errorf("read database.dsn_file: %w", err)
	}
	content, err := input.Text(text)
	if err != nil {
		return "", fmt.Errorf("database.dsn_file: %w", err)
	}
	dsn := strings.TrimSpace(content)
	if fault := c.Database.fault(dsn); fault != "" {
		return "", fmt.Errorf("database.dsn_file: its content %s", fault)
	}
	return Secret(dsn), nil
}

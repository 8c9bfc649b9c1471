package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"sallyport/input"
)

type dsnCase struct{ name, dsn, tls, want string }

func dsnCases() []dsnCase {
	const ok = ""
	return []dsnCase{
		{"a file", "sqlite:/var/lib/sallyport/db", "verified", ok},
		{"no file", "sqlite:", "verified", "names no file"},
		{"a socket", "postgres://u@/db?host=/run/postgresql", "verified", ok},
		{"a socket in the address", "postgres://u@%2Frun%2Fpostgresql/db", "verified", ok},
		{"no host: a socket", "postgres:///db", "verified", ok},
		{"loopback", "postgres://u:p@127.0.0.1:5433/db", "verified", ok},
		{"loopback by name", "postgres://u:p@localhost/db?sslmode=disable", "verified", ok},
		{"loopback in IPv6", "postgres://u:p@[::1]:5432/db", "verified", ok},
		{"another machine", "postgres://u:p@db/s", "verified", "needs sslmode=verify-full"},
		{"another machine in IPv6", "postgres://u:p@[2001:db8::1]/s", "verified", "needs sslmode=verify-full"},
		{"a name that begins like loopback", "postgres://u:p@localhost.example.com/s", "verified", "needs sslmode=verify-full"},
		{"TLS that falls back", "postgres://u:p@db/s?sslmode=prefer", "verified", "needs sslmode=verify-full"},
		{"TLS without verification", "postgres://u:p@db/s?sslmode=require", "verified", "needs sslmode=verify-full"},
		{"TLS that verifies the host", "postgres://u:p@db/s?sslmode=verify-full", "verified", ok},
		{"TLS that verifies the authority", "postgres://u:p@db/s?sslmode=verify-ca", "verified", ok},
		{"two modes, of which the driver takes the last", "postgres://u:p@db/s?sslmode=verify-full&sslmode=disable", "verified", "needs sslmode=verify-full"},
		{"another spelling of a mode", "postgres://u:p@db/s?sslmode=verify-full&ssl=true", "verified", "needs sslmode=verify-full"},
		{"TLS without verification where that is enough", "postgres://u:p@db/s?sslmode=require", "encrypted", ok},
		{"plaintext where TLS is required", "postgres://u:p@db/s", "encrypted", "sslmode=require at least"},
		{"plaintext where it is allowed", "postgres://u:p@db/s?sslmode=disable", "any", ok},
		{"several machines, one of them remote", "postgres://u:p@127.0.0.1:5432,db:5433/s", "verified", "needs sslmode=verify-full"},
		{"several machines with TLS", "postgres://u:p@a:5432,b:5433/s?sslmode=verify-full", "verified", ok},
		{"a machine in a parameter", "postgres://u:p@/s?host=db", "verified", "needs sslmode=verify-full"},
		{"a machine and a socket", "postgres://u:p@localhost/s?host=/run/postgresql,db", "verified", "needs sslmode=verify-full"},
		{"a host like an abstract socket, which the driver does not support", "postgres://@@db/s", "verified", "needs sslmode=verify-full"},
		{"a comma within an address", "postgres://u:p@[,::ffff:192.0.2.1]/s", "verified", "needs sslmode=verify-full"},
		{"a name in a parameter that looks like a port", "postgres://u@localhost/s?host=:5432", "verified", "needs sslmode=verify-full"},
		{"half of an IPv6 address", "postgres://u@[::1/s", "verified", "needs sslmode=verify-full"},
		{"an invalid port", "postgres://u@localhost,:db/s", "verified", "needs sslmode=verify-full"},
		{"a password in a parameter", "postgres://u@localhost/s?password=p", "verified", ok},
		{"a service file", "postgres:///s?service=main", "verified", "needs sslmode=verify-full"},
		{"another kind of database", "mysql://u:p@db/s", "any", "must begin"},
		{"a query that cannot be read", "postgres://u:p@db/s?a=%zz", "any", "must begin"},
	}
}

// addresses returns the PostgreSQL addresses of dsnCases.
func addresses() []string {
	var out []string
	for _, w := range dsnCases() {
		if strings.HasPrefix(w.dsn, "postgres") {
			out = append(out, w.dsn)
		}
	}
	return out
}

func TestDatabaseNeedsTLS(t *testing.T) {
	for _, tc := range dsnCases() {
		t.Run(tc.name, func(t *testing.T) {
			got := Database{TLS: tc.tls}.fault(tc.dsn)
			if (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("fault = %q, want %q in it", got, tc.want)
			}
			if strings.Contains(tc.dsn, ":p@") && tc.want != "must begin" && !dsnPassword(tc.dsn) {
				t.Error("the password is not found")
			}
		})
	}
}

// For an address without a fault the driver connects to the hosts that were checked,
// whatever the environment adds.
func TestDriverConnectsToTheHostsThatWereChecked(t *testing.T) {
	for name, environment := range map[string][2]string{"nothing": {}, "a host": {"PGHOST", "db.example"}, "a service": {"PGSERVICE", "main"},
		"a mode": {"PGSSLMODE", "disable"}, "a socket": {"PGHOST", "/run/postgresql"}} {
		t.Run(name, func(t *testing.T) {
			services := filepath.Join(t.TempDir(), "services")
			if err := os.WriteFile(services, []byte("[main]\nhost=db.example\nsslmode=disable\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PGSERVICEFILE", services)
			t.Setenv("PGPASSFILE", os.DevNull)
			if environment[0] != "" {
				t.Setenv(environment[0], environment[1])
			}
			for _, dsn := range addresses() {
				if fault := (Database{TLS: "verified"}).fault(dsn); fault == "" {
					checkHosts(t, dsn)
				}
			}
			for dsn, ok := range map[string]bool{"postgres:///db": environment[0] != "PGSERVICE" && environment[1] != "db.example",
				"postgres://u@:5432/db?host=": environment[0] != "PGSERVICE" && environment[1] != "db.example",
				"postgres://localhost/db":     true, "postgres:///db?host=/run/postgresql": true, "postgres:///db?sslmode=verify-full": true} {
				if fault := (Database{TLS: "verified"}).fault(dsn); (fault == "") != ok {
					t.Errorf("%s: fault = %q, want one: %v", dsn, fault, !ok)
				}
			}
		})
	}
}

// FuzzDriverConnectsToTheHostsThatWereChecked looks for an address that the driver parses
// differently.
func FuzzDriverConnectsToTheHostsThatWereChecked(f *testing.F) {
	for _, dsn := range addresses() {
		f.Add(dsn)
	}
	f.Setenv("PGPASSFILE", os.DevNull)
	f.Fuzz(func(t *testing.T, dsn string) {
		if strings.HasPrefix(dsn, "postgres") && (Database{TLS: "verified"}).fault(dsn) == "" {
			checkHosts(t, dsn)
		}
	})
}

// checkHosts fails for an address with which the driver connects to another machine without
// TLS that verifies it.
func checkHosts(t *testing.T, dsn string) {
	t.Helper()
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		return // it does not connect
	}
	if c.Password != "" && !dsnPassword(dsn) {
		t.Errorf("%q holds the password %q, which is not found", dsn, c.Password)
	}
	for _, to := range append([]*pgconn.FallbackConfig{{Host: c.Host, Port: c.Port, TLSConfig: c.TLSConfig}}, c.Fallbacks...) {
		network, _ := pgconn.NetworkAddress(to.Host, to.Port)
		verifies := to.TLSConfig != nil && (!to.TLSConfig.InsecureSkipVerify || to.TLSConfig.VerifyPeerCertificate != nil || to.TLSConfig.VerifyConnection != nil)
		if network != "unix" && to.Host != "" && !input.Loopback(to.Host) && !verifies {
			t.Errorf("%q has no fault, and connects to %q without TLS that verifies the server", dsn, to.Host)
		}
	}
}

package config

import (
	"strings"
	"testing"
)

func TestTheWayToTheDatabase(t *testing.T) {
	const ok = ""
	for _, tc := range []struct{ name, dsn, tls, want string }{
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
		{"a name that only looks like loopback", "postgres://u:p@localhost.example.com/s", "verified", "needs sslmode=verify-full"},
		{"TLS that falls back", "postgres://u:p@db/s?sslmode=prefer", "verified", "needs sslmode=verify-full"},
		{"TLS with anybody", "postgres://u:p@db/s?sslmode=require", "verified", "needs sslmode=verify-full"},
		{"TLS with the right one", "postgres://u:p@db/s?sslmode=verify-full", "verified", ok},
		{"TLS with the right authority", "postgres://u:p@db/s?sslmode=verify-ca", "verified", ok},
		{"of two modes the last counts", "postgres://u:p@db/s?sslmode=verify-full&sslmode=disable", "verified", "needs sslmode=verify-full"},
		{"another spelling of a mode", "postgres://u:p@db/s?sslmode=verify-full&ssl=true", "verified", "needs sslmode=verify-full"},
		{"TLS with anybody, when that will do", "postgres://u:p@db/s?sslmode=require", "encrypted", ok},
		{"plaintext, when TLS must be", "postgres://u:p@db/s", "encrypted", "sslmode=require at least"},
		{"plaintext, when nobody else is there", "postgres://u:p@db/s?sslmode=disable", "any", ok},
		{"one of several machines is another", "postgres://u:p@127.0.0.1:5432,db:5433/s", "verified", "needs sslmode=verify-full"},
		{"several machines with TLS", "postgres://u:p@a:5432,b:5433/s?sslmode=verify-full", "verified", ok},
		{"a machine in a parameter", "postgres://u:p@/s?host=db", "verified", "needs sslmode=verify-full"},
		{"a machine beside a socket", "postgres://u:p@localhost/s?host=/run/postgresql,db", "verified", "needs sslmode=verify-full"},
		{"a service file", "postgres:///s?service=main", "verified", "needs sslmode=verify-full"},
		{"another kind of database", "mysql://u:p@db/s", "any", "must begin"},
		{"a query that cannot be read", "postgres://u:p@db/s?a=%zz", "any", "must begin"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := Database{TLS: tc.tls}.fault(tc.dsn)
			if (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("fault = %q, want %q in it", got, tc.want)
			}
			if strings.Contains(tc.dsn, ":p@") && tc.want != "must begin" && !dsnPassword(tc.dsn) {
				t.Error("the password is not seen")
			}
		})
	}
}

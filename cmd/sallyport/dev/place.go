package dev

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"time"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/server"
)

// place is where dev serves: the address it listens at and the name browsers use.
type place struct {
	bind, name string
	port       int
	secure     bool
	exposed    bool // other devices of the network can reach it
}

// hostname matches names with a dot, in lower case as browsers send them (RFC 1123 section 2.1).
// They are domains that passkeys can belong to.
var hostname = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

func newPlace(o Options) (place, error) {
	at := place{bind: "127.0.0.1", name: "localhost", port: o.Port, secure: o.TLS}
	if o.Host == "" {
		return at, nil
	}
	ip, err := netip.ParseAddr(o.Host)
	if err != nil && hostname.MatchString(o.Host) && len(o.Host) <= 253 {
		// Which addresses a name has differs between the devices of a network.
		return place{bind: "0.0.0.0", name: o.Host, port: o.Port, secure: true, exposed: true}, nil
	}
	if err != nil {
		return at, cli.UsageError("dev: --host must be an address, such as 192.168.1.20 or 0.0.0.0, or a name of this machine, such as laptop.local")
	}
	at.bind = o.Host
	if ip.IsLoopback() {
		return at, nil
	}
	// Browsers offer the Web Crypto API only to https and localhost, so that a page on another
	// device needs TLS.
	at.secure, at.exposed, at.name = true, true, o.Host
	if ip.IsUnspecified() {
		lan := lanAddresses()
		if len(lan) == 0 {
			return at, cli.UsageError("dev: this machine has no address in a network; omit --host")
		}
		at.name = lan[0].String()
	}
	return at, nil
}

// lanAddresses returns the addresses at which other devices may reach this machine.
func lanAddresses() []netip.Addr {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []netip.Addr
	for _, a := range all {
		p, err := netip.ParsePrefix(a.String())
		if err == nil && p.Addr().IsGlobalUnicast() && p.Addr().Unmap().Is4() {
			out = append(out, p.Addr().Unmap())
		}
	}
	return out
}

func (at place) origin(port int) string {
	scheme := "http"
	if at.secure {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(at.name, strconv.Itoa(port))
}

func (at place) issuer() string { return at.origin(at.port) }

func (at place) demo() string { return at.origin(at.port + 1) }

// passkeys reports whether there are any: an address is no domain they could belong to.
func (at place) passkeys() bool { return net.ParseIP(at.name) == nil }

// admin is on loopback always, and therefore without TLS.
func (at place) admin() string { return "http://localhost:" + strconv.Itoa(at.port+2) }

// listen opens the listeners of provider, demo application and admin API. It comes first, so
// that a port in use is reported immediately. The certificate is nil without TLS.
func (at place) listen(folder *folder, now func() time.Time, random io.Reader) ([]net.Listener, *server.Certificate, error) {
	var secure *tls.Config
	var cert *server.Certificate
	if at.secure {
		files, err := folder.certificate(at, now(), random)
		if err == nil {
			cert, err = server.LoadCertificate("listen", files)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("certificate of the data folder: %w", err)
		}
		secure = cert.Config()
	}
	var ls []net.Listener
	for i, x := range []struct {
		host   string
		secure *tls.Config
	}{{at.bind, secure}, {at.bind, secure}, {"127.0.0.1", nil}} {
		l, err := bound(x.host, at.port+i, x.secure)
		if err != nil {
			return nil, nil, errors.Join(err, closeAll(ls))
		}
		ls = append(ls, l)
	}
	return ls, cert, nil
}

func bound(host string, port int, secure *tls.Config) (net.Listener, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("port %d is not free (choose others with --port): %w", port, err)
	}
	if secure != nil {
		return tls.NewListener(l, secure), nil
	}
	return l, nil
}

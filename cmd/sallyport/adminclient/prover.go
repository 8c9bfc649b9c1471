package adminclient

import (
	"bufio"
	"context"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"sallyport/cmd/sallyport/secretfile"
	"sallyport/config"
	"sallyport/web/admin"
)

const (
	proofTimeout = 10 * time.Second // for the proof of a connection
	maxProof     = 64 << 10         // bytes of it
)

// unproven is why no key is sent over a connection.
type unproven struct{ error }

// prover opens connections to an admin API and returns only those whose other end has proven
// that it knows the key. Each connection needs its own proof, because another process may
// accept the next one.
type prover struct {
	base   string      // scheme and host
	dials  string      // address and port
	trust  *tls.Config // nil: plain HTTP
	key    config.Secret
	named  bool // the request names the key to prove; else it is the server's admin key
	agent  string
	random io.Reader
	// check refuses a server by its identity and by whether its proof is valid.
	check func(id admin.Identity, valid bool) error
}

// client returns a client that uses the prover's connections.
func (p *prover) client() *Client {
	t := &http.Transport{DialContext: p.dial, DialTLSContext: p.dial} // no proxy
	r := newClient(p.base, p.key, p.agent, t)
	r.Close = t.CloseIdleConnections
	return r
}

func (p *prover) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", p.dials)
	if err != nil {
		return nil, err
	}
	if p.trust != nil {
		secure := tls.Client(conn, p.trust)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		conn = secure
	}
	if err := p.prove(ctx, conn); err != nil {
		_ = conn.Close() // the refusal is the error that counts
		return nil, err
	}
	return conn, nil
}

// prove requests the proof from the other end of a connection.
func (p *prover) prove(ctx context.Context, conn net.Conn) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	challenge, err := secretfile.NewKey(p.random)
	if err != nil {
		return err
	}
	own, query := admin.KeyOf(p.key.Reveal()), url.Values{"challenge": {challenge.Reveal()}}
	if p.named {
		query.Set("key", own.Hint())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+admin.Base+"/server?"+query.Encode(), nil)
	if err != nil {
		return fmt.Errorf("create request: %w", err)
	}
	req.Header.Set("User-Agent", p.agent)
	if err := req.Write(conn); err != nil {
		return err
	}
	r := bufio.NewReader(io.LimitReader(conn, maxProof))
	response, err := http.ReadResponse(r, req)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var id admin.Identity
	if err := readResponse(p.base, response, &id); err != nil {
		return unproven{err}
	}
	valid := subtle.ConstantTimeCompare([]byte(own.Proof(id.Issuer, challenge.Reveal())), []byte(id.Proof)) == 1
	if err := p.check(id, valid); err != nil {
		return unproven{err}
	}
	// A certificate excludes a process in between. Without one the proof is for the address
	// called: a process that listens elsewhere and relays the challenge gets no proof for its
	// own address.
	at := admin.AddressOf(conn.RemoteAddr())
	if p.trust == nil && (at == "" || subtle.ConstantTimeCompare([]byte(own.ProofAt(id.Issuer, challenge.Reveal(), at)), []byte(id.AddressProof)) != 1) {
		return unproven{fmt.Errorf("the server at %s listens at another address, or is of an earlier version: another process may relay its responses, and the key was not sent; a tunnel must have the address and port of admin_listen at this end too", at)}
	}
	// The next response must belong to the next call.
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.Close || r.Buffered() > 0 {
		return unproven{fmt.Errorf("the server at %s does not keep connections open", p.base)}
	}
	if !stop() {
		return ctx.Err()
	}
	return nil
}

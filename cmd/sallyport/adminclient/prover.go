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
	proofWait = 10 * time.Second // for the proof of a connection
	proofMost = 64 << 10         // bytes of it
)

// unproven is a connection that no key is sent over.
type unproven struct{ error }

// prover opens connections to an admin API and hands out none whose other end has not
// proven that it has the key: the proof of one connection says nothing of the next,
// behind which somebody else may be.
type prover struct {
	base   string      // scheme and host
	dials  string      // address and port
	trust  *tls.Config // nil: plain HTTP
	key    config.Secret
	named  bool // the server is told which key to prove; else it is that of its file
	agent  string
	random io.Reader
	// judge refuses a server by what it says of itself, and by whether its proof is right.
	check func(id admin.Identity, right bool) error
}

// remote is the admin API behind the prover's connections.
func (p *prover) client() *Client {
	t := &http.Transport{DialContext: p.dial, DialTLSContext: p.dial} // no proxy: an admin listener is near
	r := newClient(p.base, p.key, p.agent, t)
	r.Close = t.CloseIdleConnections
	return r
}

func (p *prover) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, proofWait)
	defer cancel()
	conn, err := (&net.Dialer{Timeout: dialWait}).DialContext(ctx, "tcp", p.dials)
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
		_ = conn.Close() // nobody there is owed a farewell
		return nil, err
	}
	return conn, nil
}

// prove asks the other end of a connection for the proof.
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
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("User-Agent", p.agent)
	if err := req.Write(conn); err != nil {
		return err
	}
	r := bufio.NewReader(io.LimitReader(conn, proofMost))
	answer, err := http.ReadResponse(r, req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var id admin.Identity
	if err := readAnswer(p.base, answer, &id); err != nil {
		return unproven{err}
	}
	right := subtle.ConstantTimeCompare([]byte(own.Proof(id.Issuer, challenge.Reveal())), []byte(id.Proof)) == 1
	if err := p.check(id, right); err != nil {
		return unproven{err}
	}
	// A certificate says that nobody is in between; without one the proof is for the address
	// that was called, and who listens elsewhere and passes the challenge on gets none for his.
	at := admin.AddressOf(conn.RemoteAddr())
	if p.trust == nil && (at == "" || subtle.ConstantTimeCompare([]byte(own.ProofAt(id.Issuer, challenge.Reveal(), at)), []byte(id.AddressProof)) != 1) {
		return unproven{fmt.Errorf("the server that answers at %s listens at another address, or is of an earlier version: somebody may pass on what it says, and the key was not sent; a tunnel must have the address and port of admin_listen at this end too", at)}
	}
	// The next answer must be to the next call.
	if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.Close || r.Buffered() > 0 {
		return unproven{fmt.Errorf("what answers at %s does not keep its connections open", p.base)}
	}
	if !stop() {
		return ctx.Err()
	}
	return nil
}

// Package smtptest is a mail server for tests, over real TCP and TLS. It takes mail as a
// submission server does, or fails where a test wants it to.
package smtptest

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	"net/mail"
	"net/textproto"
	"strings"
	"sync"
	"testing"
)

// Steps at which Options.Fail is asked.
const (
	Greeting = "greeting"
	Hello    = "EHLO"
	Auth     = "AUTH"
	From     = "MAIL"
	To       = "RCPT"
	Data     = "DATA"
	Content  = "content" // the mail has arrived
)

// What Options.Fail may return besides a response.
const (
	Close  = "close"  // end the connection without a response
	Silent = "silent" // keep it, without a response
)

// Options of a server. The zero value offers STARTTLS and asks for no password.
type Options struct {
	Implicit           bool // TLS from the first byte
	Plain              bool // no STARTTLS
	Username, Password string
	// Fail returns the response to a step, Close or Silent; "": the step succeeds. It is called
	// by one connection at a time.
	Fail func(step string) string
}

// Mail is a mail that the server has received.
type Mail struct {
	From, To   string // of the envelope
	Header     mail.Header
	Text, HTML string
	TLS        bool
	Confirmed  bool // the server has said so
}

// Server is a mail server on loopback.
type Server struct {
	Host string
	Port int
	CA   *x509.CertPool // with Certificate

	Certificate *x509.Certificate // of Host, issued by itself

	o       Options
	tls     *tls.Config
	mu      sync.Mutex
	mails   []Mail
	arrived chan struct{}
}

// New starts a server that stops when the test ends.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	issuer := httptest.NewTLSServer(nil) // for its certificate of 127.0.0.1
	issuer.Close()
	s := &Server{o: o, CA: x509.NewCertPool(), tls: &tls.Config{Certificates: issuer.TLS.Certificates}, arrived: make(chan struct{}, 1000)}
	s.Certificate = issuer.Certificate()
	s.CA.AddCert(s.Certificate)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().(*net.TCPAddr)
	s.Host, s.Port = address.IP.String(), address.Port
	var all sync.WaitGroup
	var open sync.Map
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open.Store(c, true)
			all.Go(func() {
				s.serve(c)
				_ = c.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		open.Range(func(c, _ any) bool { return c.(net.Conn).Close() != nil || true })
		all.Wait()
	})
	return s
}

// Mails returns what has arrived.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

// Arrived receives a value for every mail that arrives.
func (s *Server) Arrived() <-chan struct{} { return s.arrived }

// connection is one client.
type connection struct {
	*Server
	net.Conn
	r      *bufio.Reader
	secure bool
	signed bool
}

func (s *Server) serve(c net.Conn) {
	k := &connection{Server: s, Conn: c, signed: s.o.Username == ""}
	if s.o.Implicit {
		k.upgrade()
	}
	k.r = bufio.NewReader(k.Conn)
	if !k.answer(Greeting, "220 test ESMTP") {
		return
	}
	var m Mail
	for {
		line, err := k.r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb, rest, _ := strings.Cut(line, " ")
		if !k.command(strings.ToUpper(verb), rest, &m) {
			return
		}
	}
}

// command handles one command, and reports whether the connection goes on.
func (k *connection) command(verb, rest string, m *Mail) bool {
	switch verb {
	case Hello:
		offers := "250-test\r\n"
		if !k.secure && !k.o.Plain {
			offers += "250-STARTTLS\r\n"
		}
		if k.o.Username != "" {
			offers += "250-AUTH PLAIN\r\n"
		}
		return k.answer(Hello, offers+"250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES")
	case "STARTTLS":
		ok := k.say("220 go ahead")
		k.upgrade()
		k.r = bufio.NewReader(k.Conn)
		return ok
	case Auth:
		want := "PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00"+k.o.Username+"\x00"+k.o.Password))
		if k.signed = rest == want; !k.signed {
			return k.say("535 5.7.8 " + rest)
		}
		return k.answer(Auth, "235 2.7.0 welcome")
	case From:
		if !k.signed {
			return k.say("530 5.7.0 sign in first")
		}
		*m = Mail{From: address(rest), TLS: k.secure}
		return k.answer(From, "250 2.1.0 ok")
	case To:
		m.To = address(rest)
		return k.answer(To, "250 2.1.5 ok")
	case Data:
		return k.answer(Data, "354 go ahead") && k.content(*m)
	case "QUIT":
		_ = k.say("221 2.0.0 bye")
		return false
	}
	return k.say("250 2.0.0 ok")
}

// content reads a mail and keeps it, unless it is refused.
func (k *connection) content(m Mail) bool {
	read, err := mail.ReadMessage(textproto.NewReader(k.r).DotReader())
	if err != nil {
		return false
	}
	m.Header = read.Header
	m.Text, m.HTML, err = bodies(read)
	if err != nil {
		return false
	}
	reply := k.failure(Content)
	if m.Confirmed = reply == ""; m.Confirmed || reply == Close || reply == Silent {
		k.mu.Lock()
		k.mails = append(k.mails, m)
		k.mu.Unlock()
		k.arrived <- struct{}{}
	}
	return k.act(reply, "250 2.0.0 taken")
}

// bodies returns the alternatives of a mail.
func bodies(m *mail.Message) (text, html string, err error) {
	_, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return "", "", err
	}
	parts := multipart.NewReader(m.Body, parameters["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return text, html, nil
		}
		if err != nil {
			return "", "", err
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			return "", "", err
		}
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/html") {
			html = string(body)
		} else {
			text = string(body)
		}
	}
}

func (k *connection) failure(step string) string {
	if k.o.Fail == nil {
		return ""
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.o.Fail(step)
}

func (k *connection) answer(step, reply string) bool { return k.act(k.failure(step), reply) }

func (k *connection) act(failure, reply string) bool {
	switch failure {
	case "":
		return k.say(reply)
	case Close:
		return false
	case Silent:
		_, _ = io.Copy(io.Discard, k.r) // until the client goes
		return false
	}
	return k.say(failure)
}

func (k *connection) say(reply string) bool {
	_, err := io.WriteString(k.Conn, reply+"\r\n")
	return err == nil
}

func (k *connection) upgrade() {
	k.Conn, k.secure = tls.Server(k.Conn, k.tls), true
}

// address returns the address of MAIL FROM:<x> and RCPT TO:<x>.
func address(rest string) string {
	_, rest, _ = strings.Cut(rest, "<")
	rest, _, _ = strings.Cut(rest, ">")
	return rest
}

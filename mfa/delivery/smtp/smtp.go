// Package smtp sends mail through a submission server (RFC 6409).
package smtp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/textproto"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	gomail "github.com/wneessen/go-mail"

	"sallyport/mfa/delivery"
)

// Values of Options.TLS.
const (
	Implicit = "implicit" // TLS from the first byte (RFC 8314)
	StartTLS = "starttls" // a server that does not offer it gets no mail
	None     = "none"     // plaintext, for a server on the same machine
)

// longest bounds a conversation whose context has no deadline.
const longest = time.Hour

// Options are where mail goes, and from whom it comes.
type Options struct {
	Host     string
	Port     int
	TLS      string
	CA       *x509.CertPool // nil: that of the system
	Username string         // "": the server asks for none
	Password string
	From     string // an address, with or without a name
}

// Sender implements delivery.Sender. Every message has a connection of its own.
type Sender struct {
	o    Options
	ca   atomic.Pointer[x509.CertPool]
	from *mail.Address
	host string // of From
	now  func() time.Time
}

// New returns a Sender.
func New(o Options, now func() time.Time) (*Sender, error) {
	from, err := mail.ParseAddress(o.From)
	if err != nil {
		return nil, errors.New("the sender is not an address such as Example <no-reply@example.com>")
	}
	s := &Sender{o: o, from: from, host: from.Address[strings.LastIndex(from.Address, "@")+1:], now: now}
	s.Trust(o.CA)
	_, err = gomail.NewClient(o.Host, s.settings(nil)...)
	if err != nil {
		return nil, fmt.Errorf("mail server: %w", err)
	}
	return s, nil
}

// Repeatable returns false: mail systems do not compare Message-IDs.
func (s *Sender) Repeatable() bool { return false }

// Send hands a message over to the server.
func (s *Sender) Send(ctx context.Context, m delivery.Outgoing) error {
	// The library leaves connections open when it fails, and keeps its own time.
	var conn net.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close()
		}
	}()
	dial := func(dialing context.Context, network, address string) (net.Conn, error) {
		var err error
		if conn, err = s.dial(dialing, network, address); err == nil {
			context.AfterFunc(ctx, func() { _ = conn.Close() })
		}
		return conn, err
	}
	client, err := gomail.NewClient(s.o.Host, s.settings(dial)...)
	if err != nil {
		return &delivery.Retry{Reason: "settings"}
	}
	mail, err := s.compose(m)
	if err != nil {
		return err
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return &delivery.Retry{Reason: "connect: " + reason(ctx, err)}
	}
	if err := client.SendWithSMTPClient(session, mail); err != nil && !mail.IsDelivered() {
		return judge(ctx, err)
	}
	_ = client.CloseWithSMTPClient(session) // the server has the message already
	return nil
}

func (s *Sender) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if s.o.TLS == Implicit {
		d := tls.Dialer{Config: s.tls()}
		return d.DialContext(ctx, network, address)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

// Trust replaces the certificates of Options.CA, for connections from then on.
func (s *Sender) Trust(ca *x509.CertPool) { s.ca.Store(ca) }

func (s *Sender) tls() *tls.Config {
	return &tls.Config{ServerName: s.o.Host, RootCAs: s.ca.Load(), MinVersion: tls.VersionTLS12}
}

func (s *Sender) settings(dial gomail.DialContextFunc) []gomail.Option {
	out := []gomail.Option{gomail.WithPort(s.o.Port), gomail.WithTLSConfig(s.tls()), gomail.WithTimeout(longest), gomail.WithoutNoop(), gomail.WithoutRset()}
	if dial != nil {
		out = append(out, gomail.WithDialContextFunc(dial))
	}
	auth := []gomail.SMTPAuthType{gomail.SMTPAuthPlain, gomail.SMTPAuthLogin, gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1}
	switch s.o.TLS {
	case Implicit:
		out = append(out, gomail.WithSSL())
	case StartTLS:
		out = append(out, gomail.WithTLSPolicy(gomail.TLSMandatory))
	default:
		out = append(out, gomail.WithTLSPolicy(gomail.NoTLS))
		auth = []gomail.SMTPAuthType{gomail.SMTPAuthPlainNoEnc, gomail.SMTPAuthLoginNoEnc}
	}
	if s.o.Username != "" {
		out = append(out, gomail.WithOpportunisticSMTPAuth(auth...), gomail.WithUsername(s.o.Username), gomail.WithPassword(s.o.Password))
	}
	return out
}

// compose returns a mail with a plain and an HTML version.
func (s *Sender) compose(m delivery.Outgoing) (*gomail.Msg, error) {
	out := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	out.FromMailAddress(s.from)
	// An address in the outbox is no more than an address: no name, no list.
	if to, err := mail.ParseAddress(m.Recipient); err != nil || to.Address != m.Recipient {
		return nil, &delivery.Permanent{Reason: "recipient: not an address"}
	}
	out.ToMailAddress(&mail.Address{Address: m.Recipient})
	out.Subject(m.Subject)
	out.SetMessageIDWithValue(string(m.ID) + "@" + s.host)
	out.SetDateWithValue(s.now())
	out.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no holiday notices in return
	out.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		out.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	return out, nil
}

// stages name what the server was asked for when it refused.
var stages = map[gomail.SendErrReason]string{gomail.ErrSMTPMailFrom: "sender", gomail.ErrSMTPRcptTo: "recipient",
	gomail.ErrSMTPData: "data", gomail.ErrWriteContent: "content", gomail.ErrSMTPDataClose: "content"}

// judge returns what the failure to send a message means for it. Responses 5yz are final;
// before the message is sent, while connecting, they are about this server and not about it.
func judge(ctx context.Context, err error) error {
	var failure *gomail.SendError
	if !errors.As(err, &failure) {
		return &delivery.Retry{Reason: reason(ctx, err)}
	}
	stage := stages[failure.Reason]
	if stage == "" {
		stage = "connection"
	}
	switch code := failure.ErrorCode(); {
	case code >= 500:
		return &delivery.Permanent{Reason: stage + ": " + status(code, failure.EnhancedStatusCode())}
	case code >= 400:
		return &delivery.Retry{Reason: stage + ": " + status(code, failure.EnhancedStatusCode())}
	case failure.Reason == gomail.ErrSMTPDataClose:
		return &delivery.Unknown{Reason: "the mail server did not confirm"}
	}
	return &delivery.Retry{Reason: stage + ": " + reason(ctx, err)}
}

// enhanced is an enhanced status code (RFC 3463) at the beginning of a response.
var enhanced = regexp.MustCompile(`^[245]\.\d{1,3}\.\d{1,3}\b`)

// reason returns the class of an error, without any text of the server.
func reason(ctx context.Context, err error) string {
	var response *textproto.Error
	var certificate *tls.CertificateVerificationError
	var network net.Error
	switch {
	case errors.As(err, &response):
		return status(response.Code, enhanced.FindString(response.Msg))
	case errors.As(err, &certificate):
		return "the certificate is not valid for this host"
	case ctx.Err() != nil, errors.As(err, &network) && network.Timeout():
		return "no response in time"
	case errors.As(err, &network):
		return "no connection"
	case strings.Contains(err.Error(), "EOF"): // the library does not always wrap it
		return "the connection ended"
	}
	return "the server offers no STARTTLS, or no way to sign in"
}

func status(code int, enhanced string) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", code, enhanced))
}

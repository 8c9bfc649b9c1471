package delivery

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"
)

// RetryAfter parses the header of that name (RFC 9110 section 10.2.3); 0: there is none.
func RetryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// NoResponse returns the class of an error of an HTTP call without its text, which has the URL.
func NoResponse(ctx context.Context, err error) string {
	var network *net.OpError
	var timeout interface{ Timeout() bool }
	var certificate *tls.CertificateVerificationError
	switch {
	case ctx.Err() != nil, errors.As(err, &timeout) && timeout.Timeout():
		return "no response in time"
	case errors.As(err, &certificate):
		return "the certificate is not valid for this host"
	case errors.As(err, &network):
		return "no connection"
	}
	return "the connection ended"
}

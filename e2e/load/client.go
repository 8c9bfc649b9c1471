// Package load is the client of measurements: HTTP/1.1 on one connection at a time, with
// cookies and forms. It shares the machine with the servers that it measures, so it does little.
package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// patience bounds a request: a server that hangs is an error, and no measurement waits for it.
const patience = 30 * time.Second

// Client is one person at a time: cookies, and a connection from an address of theirs.
type Client struct {
	Slowest time.Duration // response so far

	addr    string
	links   []*link // one for each source address, the current person's first
	out     bytes.Buffer
	cookies map[string]string
}

// link is a connection.
type link struct {
	net.Conn
	in *bufio.Reader
}

// Response is a response.
type Response struct {
	Code     int
	Took     time.Duration // from the request to the end of the response
	Location string
	Body     []byte
}

// Dial connects to a server from each of the source addresses; if there are none, once from
// whichever the system picks.
func Dial(addr string, from ...string) (*Client, error) {
	c := &Client{addr: addr, cookies: map[string]string{}}
	if len(from) == 0 {
		from = []string{""}
	}
	for _, f := range from {
		d := net.Dialer{Timeout: patience}
		if f != "" {
			d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(f)}
		}
		conn, err := d.Dial("tcp", addr)
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		c.links = append(c.links, &link{conn, bufio.NewReaderSize(conn, 32<<10)})
	}
	return c, nil
}

// Close closes all connections.
func (c *Client) Close() error {
	var errs []error
	for _, l := range c.links {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// Forget makes the client another person: no cookies, at the next source address.
func (c *Client) Forget() {
	clear(c.cookies)
	c.links = append(c.links[1:], c.links[0])
}

// Drop forgets a cookie.
func (c *Client) Drop(name string) { delete(c.cookies, name) }

func (c *Client) Get(path string, header ...string) (Response, error) {
	return c.Do("GET", path, "", header...)
}

func (c *Client) Post(path string, form url.Values, header ...string) (Response, error) {
	return c.Do("POST", path, form.Encode(), append(header, "Content-Type: application/x-www-form-urlencoded")...)
}

// Do sends a request and reads the response. It follows no redirect.
func (c *Client) Do(method, path, body string, header ...string) (Response, error) {
	b := &c.out
	b.Reset()
	fmt.Fprintf(b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, c.addr)
	for _, h := range header {
		b.WriteString(h)
		b.WriteString("\r\n")
	}
	separator := "Cookie: "
	for name, value := range c.cookies {
		b.WriteString(separator)
		b.WriteString(name)
		b.WriteByte('=')
		b.WriteString(value)
		separator = "; "
	}
	if len(c.cookies) > 0 {
		b.WriteString("\r\n")
	}
	if method != "GET" {
		fmt.Fprintf(b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	b.WriteString(body)
	began := time.Now()
	if err := c.links[0].SetDeadline(began.Add(patience)); err != nil {
		return Response{}, err
	}
	if _, err := c.links[0].Write(b.Bytes()); err != nil {
		return Response{}, err
	}
	r, err := c.read()
	r.Took = time.Since(began)
	c.Slowest = max(c.Slowest, r.Took)
	if err != nil {
		err = fmt.Errorf("%s %s: %w", method, path, err)
	}
	return r, err
}

func (c *Client) read() (Response, error) {
	line, err := c.line()
	if err != nil {
		return Response{}, err
	}
	if len(line) < 12 {
		return Response{}, fmt.Errorf("status line %q", line)
	}
	var r Response
	if r.Code, err = strconv.Atoi(line[9:12]); err != nil {
		return Response{}, fmt.Errorf("status line %q", line)
	}
	length, chunked := 0, false
	for {
		if line, err = c.line(); err != nil {
			return r, err
		}
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "content-length":
			if length, err = strconv.Atoi(value); err != nil {
				return r, err
			}
		case "transfer-encoding":
			chunked = value == "chunked"
		case "location":
			r.Location = value
		case "set-cookie":
			c.keep(value)
		}
	}
	if chunked {
		return r, c.chunks(&r)
	}
	r.Body = make([]byte, length)
	_, err = io.ReadFull(c.links[0].in, r.Body)
	return r, err
}

func (c *Client) keep(cookie string) {
	pair, attributes, _ := strings.Cut(cookie, ";")
	name, value, _ := strings.Cut(pair, "=")
	if value == "" || strings.Contains(strings.ToLower(attributes), "max-age=0") {
		delete(c.cookies, name)
		return
	}
	c.cookies[name] = value
}

func (c *Client) chunks(r *Response) error {
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(line, 16, 32)
		if err != nil {
			return fmt.Errorf("chunk size %q", line)
		}
		part := make([]byte, n+2)
		if _, err := io.ReadFull(c.links[0].in, part); err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		r.Body = append(r.Body, part[:n]...)
	}
}

func (c *Client) line() (string, error) {
	s, err := c.links[0].in.ReadString('\n')
	if err != nil {
		return "", errors.Join(errors.New("read response"), err)
	}
	return strings.TrimRight(s, "\r\n"), nil
}

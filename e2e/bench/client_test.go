package bench

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

// client is a minimal HTTP/1.1 client: one person, with a cookie jar, on one connection at a
// time. It allocates little, because it shares two cores with the server, and follows no
// redirects.
type client struct {
	addr    string
	links   []*link // one for each address of its persons
	link    *link   // of the current person
	out     bytes.Buffer
	cookies map[string]string
	slowest time.Duration // response so far
}

// link is a connection.
type link struct {
	conn net.Conn
	in   *bufio.Reader
}

// response is a response. The body is valid until the next call.
type response struct {
	code     int
	took     time.Duration // from the request to the end of the response
	location string
	body     []byte
}

// patience bounds a call, so that a server that does not answer ends a run.
const patience = 30 * time.Second

// dial connects from each of the source addresses.
func dial(addr string, from ...string) (*client, error) {
	c := &client{addr: addr, cookies: map[string]string{}}
	for _, f := range from {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(f)}, Timeout: patience}
		conn, err := d.Dial("tcp", addr)
		if err != nil {
			c.close()
			return nil, err
		}
		c.links = append(c.links, &link{conn, bufio.NewReaderSize(conn, 32<<10)})
	}
	c.link = c.links[0]
	return c, nil
}

func (c *client) close() {
	for _, l := range c.links {
		_ = l.conn.Close()
	}
}

// forget makes the client another person: no cookies, at the next address.
func (c *client) forget() {
	clear(c.cookies)
	c.links = append(c.links[1:], c.links[0])
	c.link = c.links[0]
}

func (c *client) get(path string, header ...string) (response, error) {
	return c.do("GET", path, "", header...)
}

func (c *client) post(path string, form url.Values, header ...string) (response, error) {
	return c.do("POST", path, form.Encode(), append(header, "Content-Type: application/x-www-form-urlencoded")...)
}

func (c *client) do(method, path, body string, header ...string) (response, error) {
	b := &c.out
	b.Reset()
	fmt.Fprintf(b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, c.addr)
	for _, h := range header {
		b.WriteString(h)
		b.WriteString("\r\n")
	}
	if len(c.cookies) > 0 {
		b.WriteString("Cookie: ")
		first := true
		for name, value := range c.cookies {
			if !first {
				b.WriteString("; ")
			}
			first = false
			b.WriteString(name)
			b.WriteByte('=')
			b.WriteString(value)
		}
		b.WriteString("\r\n")
	}
	if method == "POST" {
		fmt.Fprintf(b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	b.WriteString(body)
	began := time.Now()
	if err := c.link.conn.SetDeadline(began.Add(patience)); err != nil {
		return response{}, err
	}
	if _, err := c.link.conn.Write(b.Bytes()); err != nil {
		return response{}, err
	}
	r, err := c.read()
	r.took = time.Since(began)
	c.slowest = max(c.slowest, r.took)
	return r, err
}

func (c *client) read() (response, error) {
	line, err := c.line()
	if err != nil {
		return response{}, err
	}
	if len(line) < 12 {
		return response{}, fmt.Errorf("status line %q", line)
	}
	code, err := strconv.Atoi(line[9:12])
	if err != nil {
		return response{}, fmt.Errorf("status line %q", line)
	}
	r := response{code: code}
	length := 0
	chunked := false
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
			r.location = value
		case "set-cookie":
			c.keep(value)
		}
	}
	if chunked {
		return r, c.chunks(&r)
	}
	r.body = make([]byte, length)
	_, err = io.ReadFull(c.link.in, r.body)
	return r, err
}

func (c *client) keep(cookie string) {
	pair, attributes, _ := strings.Cut(cookie, ";")
	name, value, _ := strings.Cut(pair, "=")
	if value == "" || strings.Contains(attributes, "Max-Age=0") {
		delete(c.cookies, name)
		return
	}
	c.cookies[name] = value
}

func (c *client) chunks(r *response) error {
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
		if _, err := io.ReadFull(c.link.in, part); err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		r.body = append(r.body, part[:n]...)
	}
}

func (c *client) line() (string, error) {
	s, err := c.link.in.ReadString('\n')
	if err != nil {
		return "", errors.Join(errors.New("read response"), err)
	}
	return strings.TrimRight(s, "\r\n"), nil
}

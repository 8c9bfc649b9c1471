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
)

// client is a minimal HTTP/1.1 client on one connection. It allocates little, because it
// shares two cores with the server, and follows no redirects.
type client struct {
	addr    string
	conn    net.Conn
	in      *bufio.Reader
	out     bytes.Buffer
	cookies map[string]string
}

// response is a response. The body is valid until the next call.
type response struct {
	code     int
	location string
	body     []byte
}

func dial(addr string) (*client, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &client{addr: addr, conn: conn, in: bufio.NewReaderSize(conn, 64<<10), cookies: map[string]string{}}, nil
}

func (c *client) close() { _ = c.conn.Close() }

func (c *client) forget() { clear(c.cookies) }

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
	if _, err := c.conn.Write(b.Bytes()); err != nil {
		return response{}, err
	}
	return c.read()
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
	_, err = io.ReadFull(c.in, r.body)
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
		if _, err := io.ReadFull(c.in, part); err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		r.body = append(r.body, part[:n]...)
	}
}

func (c *client) line() (string, error) {
	s, err := c.in.ReadString('\n')
	if err != nil {
		return "", errors.Join(errors.New("read response"), err)
	}
	return strings.TrimRight(s, "\r\n"), nil
}

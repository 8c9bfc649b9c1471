// Package load is the client of measurements: HTTP/1.1 on one connection, with cookies and
// forms. It shares the machine with the servers that it measures, so it does little.
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

// Client is one connection and its cookies.
type Client struct {
	addr    string
	conn    net.Conn
	in      *bufio.Reader
	out     bytes.Buffer
	cookies map[string]string
}

// Response is a response.
type Response struct {
	Code     int
	Location string
	Body     []byte
}

// Dial connects to a server.
func Dial(addr string) (*Client, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &Client{addr: addr, conn: conn, in: bufio.NewReaderSize(conn, 64<<10), cookies: map[string]string{}}, nil
}

func (c *Client) Close() error { return c.conn.Close() }

// Forget deletes all cookies.
func (c *Client) Forget() { clear(c.cookies) }

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
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return Response{}, err
	}
	if _, err := c.conn.Write(b.Bytes()); err != nil {
		return Response{}, err
	}
	r, err := c.read()
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
	_, err = io.ReadFull(c.in, r.Body)
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
		if _, err := io.ReadFull(c.in, part); err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		r.Body = append(r.Body, part[:n]...)
	}
}

func (c *Client) line() (string, error) {
	s, err := c.in.ReadString('\n')
	if err != nil {
		return "", errors.Join(errors.New("read response"), err)
	}
	return strings.TrimRight(s, "\r\n"), nil
}

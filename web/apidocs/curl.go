package apidocs

import (
	"net/url"
	"strings"
)

// request composes the example of a call.
type request struct {
	*builder
	*call
	path    []string // placeholder and value in turn
	query   []string
	headers []string
}

// add adds a required parameter.
func (q *request) add(name, in, value string) {
	switch in {
	case "path":
		q.path = append(q.path, "{"+name+"}", url.PathEscape(value))
	case "query":
		q.query = append(q.query, url.QueryEscape(name)+"="+url.QueryEscape(value))
	case "cookie":
		q.headers = append(q.headers, "-b "+quote(name+"="+value))
	default:
		q.headers = append(q.headers, "-H "+quote(name+": "+value))
	}
}

// curl returns the example as a command of a POSIX shell.
func (q *request) curl() string {
	address := q.doc.Servers[0].Address + strings.NewReplacer(q.path...).Replace(q.Path)
	if len(q.query) > 0 {
		address += "?" + strings.Join(q.query, "&")
	}
	line := "curl"
	switch {
	case q.Method == "HEAD":
		line += " -I"
	case q.Method != "GET" && !(q.Method == "POST" && len(q.Bodies) > 0):
		line += " -X " + q.Method
	}
	lines := []string{line + " " + quote(address)}
	if len(q.Auth) > 0 && !q.Open {
		for _, name := range q.Auth[0] {
			if s := q.known(name); s != nil && s.header != "" {
				lines = append(lines, s.header)
			}
		}
	}
	lines = append(lines, q.headers...)
	if len(q.Bodies) > 0 {
		lines = append(lines, "-H "+quote("Content-Type: "+q.Bodies[0].Media), "-d "+quote(q.Bodies[0].Example))
	}
	return strings.Join(lines, " \\\n  ")
}

// quote quotes a word for a shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

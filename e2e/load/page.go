package load

import (
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
)

// Open gets a path and follows redirects.
func (c *Client) Open(path string, header ...string) (Response, error) {
	r, err := c.Get(path, header...)
	return c.Follow(r, err)
}

// Follow follows redirects within the server and returns the last response: a page, or a
// redirect to elsewhere. Any other status is an error.
func (c *Client) Follow(r Response, err error) (Response, error) {
	for hops := 0; err == nil && redirects(r.Code) && c.own(r.Location); hops++ {
		if hops == 20 {
			return r, fmt.Errorf("more than %d redirects, the last one to %s", hops, r.Location)
		}
		r, err = c.Get(c.Path(r.Location))
	}
	if err == nil && r.Code != 200 && !redirects(r.Code) {
		err = r.Unexpected()
	}
	return r, err
}

var (
	unread = regexp.MustCompile(`(?s)<(script|style|head).*?</(script|style|head)>|<[^>]*>`)
	spaces = regexp.MustCompile(`\s+`)
)

// Text is what a person would read of the response, for errors.
func (r Response) Text() string {
	text := spaces.ReplaceAllString(unread.ReplaceAllString(string(r.Body), " "), " ")
	return text[:min(len(text), 500)]
}

// Refusal is the error of a response of a server that has too much to do, or was asked too
// much.
type Refusal struct{ Response }

func (r *Refusal) Error() string { return fmt.Sprintf("refused with %d: %s", r.Code, r.Text()) }

// Unexpected is the error of a response that should not be.
func (r Response) Unexpected() error {
	if r.Code == 429 || r.Code == 503 {
		return &Refusal{r}
	}
	return fmt.Errorf("status %d: %s", r.Code, r.Text())
}

func redirects(code int) bool { return code == 302 || code == 303 }

func (c *Client) own(location string) bool { return strings.HasPrefix(c.Path(location), "/") }

// Path returns a location without the origin of the server.
func (c *Client) Path(location string) string {
	return strings.TrimPrefix(location, "http://"+c.addr)
}

// Submit sends a form and follows redirects.
func (c *Client) Submit(page Response, fields url.Values) (Response, error) {
	r, err := c.Send(page, fields)
	return c.Follow(r, err)
}

// Send posts the form of a page that has these fields, with its hidden ones.
func (c *Client) Send(page Response, fields url.Values) (Response, error) {
	action, all := fill(string(page.Body), fields)
	if action == "" {
		return page, fmt.Errorf("status %d, and no form: %s", page.Code, page.Text())
	}
	return c.Post(c.Path(action), all, "Origin: http://"+c.addr)
}

// fill returns the action and the values of the form with the given fields.
func fill(text string, fields url.Values) (string, url.Values) {
	for _, form := range strings.Split(text, "<form")[1:] {
		form, _, _ = strings.Cut(form, "</form>")
		all, fits := url.Values{}, true
		for name := range fields {
			fits = fits && strings.Contains(form, ` name="`+name+`"`)
		}
		if !fits {
			continue
		}
		for _, input := range strings.Split(form, "<input")[1:] {
			input, _, _ = strings.Cut(input, ">")
			if value(input, "type") == "hidden" {
				all.Set(value(input, "name"), value(input, "value"))
			}
		}
		for name := range fields {
			all.Set(name, fields.Get(name))
		}
		tag, _, _ := strings.Cut(form, ">")
		return value(tag, "action"), all
	}
	return "", nil
}

// value returns an attribute of a tag.
func value(tag, name string) string {
	_, text, found := strings.Cut(tag, " "+name+`="`)
	if !found {
		return ""
	}
	text, _, _ = strings.Cut(text, `"`)
	return html.UnescapeString(text)
}

package page

import (
	"encoding/base64"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa/exchange"
	"sallyport/storage"
	"sallyport/web"
)

// Handout is the secret of a pending authenticator, as the template "handout" shows it. The
// data of a page embeds it.
type Handout struct {
	Exchange storage.ExchangeID // of the pending enrolment
	Secret   string             // in groups of four, to read
	Key      string
	Digits   int          // length of its codes; 0: unknown
	QR       template.URL // an image as a data: URL, which templates do not trust otherwise
	Open     template.URL // otpauth: URL for an app on the same device
	Ceremony              // that creates it
}

// HandoutOf formats the secret of an enrolment.
func HandoutOf(e exchange.Enrolling) Handout {
	d := Handout{Exchange: e.Exchange, Key: e.Handout.Secret, Digits: e.Digits}
	var groups []string
	for part := range slices.Chunk([]byte(e.Handout.Secret), 4) {
		groups = append(groups, string(part))
	}
	d.Secret = strings.Join(groups, " ")
	if len(e.Handout.QR) > 0 {
		d.QR = template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(e.Handout.QR))
	}
	if strings.HasPrefix(e.Handout.URI, "otpauth://") {
		d.Open = template.URL(e.Handout.URI)
	}
	if len(e.Handout.Options) > 0 {
		d.Ceremony = Ceremony{Call: "create", Options: string(e.Handout.Options)}
	}
	return d
}

// Codes are new recovery codes, as the template "codes" shows them.
type Codes struct {
	Codes []string
	Head  string       // whose they are, and where they work
	At    time.Time    // when the page was made
	File  template.URL // a text file as a data: URL: no second request, no script
}

// WriteCodes writes a page whose data is new recovery codes.
func (l *Look) WriteCodes(c *gin.Context, name string, v Page, codes []string) error {
	d := Codes{Codes: codes, At: web.Now(c)}
	key := "recovery.sheet"
	if v.Account == "" {
		key = "recovery.sheet.nameless"
	}
	if c.Request.Method == http.MethodPost {
		v.Here = "" // the codes are shown once
	}
	var err error
	if d.Head, err = v.T(key, "Account", v.Account, "Product", v.Product, "Host", l.host); err != nil {
		return err
	}
	when, err := v.When(d.At)
	if err != nil {
		return err
	}
	text := d.Head + "\r\n" + when + "\r\n\r\n" + strings.Join(codes, "\r\n") + "\r\n"
	d.File = template.URL("data:text/plain;charset=utf-8;base64," + base64.StdEncoding.EncodeToString([]byte(text)))
	v.Data = d
	l.Write(c, http.StatusOK, name, v)
	return nil
}

package page

import (
	"encoding/base64"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/mfa/exchange"
	"sallyport/storage"
)

// Handout is an authenticator that waits to be taken over, as the template "handout"
// shows it. The data of a page embeds it.
type Handout struct {
	Exchange storage.ExchangeID // of the enrolment that has begun
	Secret   string             // in groups of four, as people read it
	Key      string
	QR       template.URL // a picture within the page; data: is no scheme a template trusts by itself
	Open     template.URL // otpauth: for an app on the same device
}

// HandoutOf prepares what an enrolment hands out.
func HandoutOf(e exchange.Enrolling) Handout {
	d := Handout{Exchange: e.Exchange, Key: e.Handout.Secret}
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
	return d
}

// Codes are fresh recovery codes, as the template "codes" shows them. The data of a
// page embeds them.
type Codes struct {
	Codes []string
	File  template.URL // as a text file within the page: no second request, no script
}

// WriteCodes writes a page whose data is fresh recovery codes alone. Its Account is set.
func (l *Look) WriteCodes(c *gin.Context, name string, v Page, codes []string) error {
	head, err := v.T("recovery.file", "Product", v.Product, "Account", v.Account)
	if err != nil {
		return err
	}
	text := head + "\r\n\r\n" + strings.Join(codes, "\r\n") + "\r\n"
	v.Data = Codes{Codes: codes, File: template.URL("data:text/plain;charset=utf-8;base64," + base64.StdEncoding.EncodeToString([]byte(text)))}
	l.Write(c, http.StatusOK, name, v)
	return nil
}

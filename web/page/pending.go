package page

import (
	"encoding/json"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/storage"
	"sallyport/web"
)

// Pending is an enrolment that was begun, or a code that was sent to a new address: what its page
// has to know when it is loaded again, as after a visit to the mail or the authenticator app on
// the same telephone. No address has an exchange: it is sealed for the browser.
type Pending struct {
	Exchange storage.ExchangeID `json:"exchange"`
	Code     string             `json:"code,omitempty"`  // the enrollment code that began it
	Again    int64              `json:"again,omitempty"` // Unix time from which another code can be sent
}

const (
	pendingParam   = "pending"
	pendingPurpose = "page of an enrolment"
)

// PendingFor returns what is pending from now on, with the pause in seconds until another code can
// be sent; 0: none.
func PendingFor(c *gin.Context, id storage.ExchangeID, code string, pause int) Pending {
	w := Pending{Exchange: id, Code: code}
	if pause > 0 {
		w.Again = web.Now(c).Unix() + int64(pause)
	}
	return w
}

// PendingIn is PendingFor with the exchange in a field of a form.
func PendingIn(c *gin.Context, field string, pause int) Pending {
	return PendingFor(c, storage.ExchangeID(c.PostForm(field)), c.PostForm(CodeField), pause)
}

// Pause is how many seconds are left until another code can be sent.
func (w Pending) Pause(c *gin.Context) int {
	return max(Seconds(time.Unix(w.Again, 0).Sub(web.Now(c))), 0)
}

// ToPending redirects to the page of what is pending. The path has a query.
func (l *Look) ToPending(c *gin.Context, path string, w Pending) error {
	text, err := json.Marshal(w)
	if err != nil {
		return err
	}
	sealed, err := l.Seal(pendingPurpose, web.Caller(c).Browser, text)
	if err != nil {
		return err
	}
	Redirect(c, path+"&"+url.Values{pendingParam: {sealed}}.Encode())
	return nil
}

// PendingOf returns what is pending in this browser, by the address of a page.
func (l *Look) PendingOf(c *gin.Context) (Pending, bool) {
	var w Pending
	text, ok := l.Open(pendingPurpose, web.Caller(c).Browser, web.Query(c).Get(pendingParam))
	ok = ok && json.Unmarshal(text, &w) == nil && w.Exchange != ""
	return w, ok
}

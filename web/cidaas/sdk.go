package cidaas

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/provider"
	"sallyport/storage"
)

// The JSON twins of the login forms, for programs that have no browser: they return the
// code itself, to clients with headless login alone.

func (s *Surface) passwordJSON(c *gin.Context) { s.twin(c, s.provePassword) }
func (s *Surface) finishJSON(c *gin.Context)   { s.twin(c, s.claim) }
func (s *Surface) continueJSON(c *gin.Context) { s.twin(c, s.proven) }

func (s *Surface) twin(c *gin.Context, prove func(*gin.Context, *input) (turn, error)) {
	in, f := read(c, true)
	if f != nil {
		s.refuse(c, f, "")
		return
	}
	asked := provider.Ask{Request: requestOf(in), Track: trackOf(c)}
	t, err := s.next(c, asked)
	if err == nil && !t.step.Client.HeadlessLogin {
		err = &mfa.Error{Code: mfa.NotAllowed, Err: errors.New("the client has no headless login")}
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	proved, err := prove(c, in)
	if err != nil {
		s.failTwin(c, proved, err)
		return
	}
	if t, err = s.again(c, proved); err != nil {
		s.fail(c, err)
		return
	}
	if t.step.Kind == provider.StepRefused {
		s.wanting(c, t, refusal{page: t.step.Refusal, text: "the login can not be finished"})
		return
	}
	if t.step.Kind != provider.StepDone {
		s.wanting(c, t, refusal{page: missing(t.step.Kind), text: "a further step is required"})
		return
	}
	ended, err := s.provider.Finish(c.Request.Context(), t.step, t.visit, t.signedIn)
	if err != nil {
		s.fail(c, err)
		return
	}
	succeed(c, struct {
		Code  string `json:"code"`
		View  string `json:"viewtype"`
		Grant string `json:"grant_type"`
	}{codeOf(ended.Answer), "login", "login"})
}

// failTwin tells a refusal with what is needed to go on: 417 with the login it is about.
func (s *Surface) failTwin(c *gin.Context, t turn, err error) {
	r, known := refusals[mfa.CodeOf(err)]
	if !known || r.status != expectationFailed || t.step.Request.ID == "" {
		s.fail(c, err)
		return
	}
	s.wanting(c, t, r)
}

// twinFault is a refusal of a twin.
type twinFault struct {
	Error       string            `json:"error"`
	Description string            `json:"error_description"`
	Request     storage.RequestID `json:"requestId"`
	Track       storage.TrackID   `json:"track_id,omitempty"`
	Sub         string            `json:"sub,omitempty"`
	Query       string            `json:"q,omitempty"`
	Client      storage.ClientID  `json:"client_id"`
	Suggested   string            `json:"suggested_url"`
}

func (s *Surface) wanting(c *gin.Context, t turn, r refusal) {
	b := twinFault{Error: r.page, Description: r.text, Request: t.step.Request.ID, Sub: s.provider.Masked(t.step),
		Query: s.provider.Masked(t.step), Client: t.step.Client.ID}
	var err error
	if b.Suggested, b.Track, err = s.suggested(c.Request.Context(), t); err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(expectationFailed, struct {
		Success bool      `json:"success"`
		Status  int       `json:"status"`
		Error   twinFault `json:"error"`
	}{false, http.StatusExpectationFailed, b})
}

// codeOf finds the code in an answer, wherever the response mode put it.
func codeOf(a provider.Answer) string {
	if a.FormPost != nil {
		for _, field := range a.FormPost.Fields {
			if field[0] == "code" {
				return field[1]
			}
		}
		return ""
	}
	u, err := url.Parse(a.Location)
	if err != nil {
		return ""
	}
	if code := u.Query().Get("code"); code != "" {
		return code
	}
	fragment, err := url.ParseQuery(u.Fragment)
	if err != nil {
		return ""
	}
	return fragment.Get("code")
}

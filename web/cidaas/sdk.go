package cidaas

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/problem"
	"sallyport/web/signin"
)

// The JSON twins of the login forms, for programs without a browser: they return the code
// itself, and only to clients with headless login.

func (s *Surface) passwordJSON(c *gin.Context) { s.twin(c, s.provePassword) }
func (s *Surface) finishJSON(c *gin.Context)   { s.twin(c, s.claim) }
func (s *Surface) continueJSON(c *gin.Context) { s.twin(c, s.proven) }

func (s *Surface) twin(c *gin.Context, prove func(*gin.Context, *input) (signin.Call, error)) {
	in, f := read(c, true)
	if f != nil {
		s.refuse(c, *f, "")
		return
	}
	ask := provider.Ask{Request: in.request(), Track: trackOf(c)}
	call, err := s.read(c, ask)
	if err == nil && !call.Step.Client.HeadlessLogin {
		err = &mfa.Error{Code: mfa.NotAllowed, Err: errors.New("the client has no headless login")}
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	if !s.challenged(c, call) {
		return
	}
	proved, err := prove(c, in)
	if err != nil {
		s.failTwin(c, proved, err)
		return
	}
	if call, err = s.logins.Next(c, proved, proved.Step.Again()); err != nil {
		s.fail(c, err)
		return
	}
	if call.Step.Kind == provider.StepRefused {
		s.incomplete(c, call, refusal{page: call.Step.Refusal, text: "the login can not be finished"})
		return
	}
	if call.Step.Kind != provider.StepDone {
		s.incomplete(c, call, refusal{page: missing(call.Step.Kind), text: "a further step is required"})
		return
	}
	ended, err := s.provider.Finish(c.Request.Context(), call.Step, call.Caller, call.SignedIn)
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

// failTwin writes a refusal with what the caller needs to continue the login.
func (s *Surface) failTwin(c *gin.Context, call signin.Call, err error) {
	e, r, known := problem.Lookup(refusals, err)
	if !known || r.status != expectationFailed || call.Step.Request.ID == "" {
		s.fail(c, err)
		return
	}
	problem.Explain(c, e)
	s.incomplete(c, call, r)
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

func (s *Surface) incomplete(c *gin.Context, call signin.Call, r refusal) {
	b := twinFault{Error: r.page, Description: r.text, Request: call.Step.Request.ID, Sub: s.provider.Masked(call.Step),
		Query: s.provider.Masked(call.Step), Client: call.Step.Client.ID}
	web.Refused(c, mfa.Refusal{Reason: r.page, Client: b.Client})
	var err error
	if b.Suggested, b.Track, err = s.suggested(c, call); err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(expectationFailed, struct {
		Success bool      `json:"success"`
		Status  int       `json:"status"`
		Error   twinFault `json:"error"`
	}{false, http.StatusExpectationFailed, b})
}

// codeOf finds the code in a result.
func codeOf(a provider.Answer) string {
	for _, field := range a.Fields {
		if field[0] == "code" {
			return field[1]
		}
	}
	return ""
}

package streambird

import (
	"sallyport/mfa"
)

// verifySession returns a session with a fresh JWT, and extends it if the call says so.
func (s *Surface) verifySession(k call) (any, error) {
	in, err := read(k.Context)
	if err != nil {
		return nil, err
	}
	use, err := s.named(k, in)
	if err != nil {
		return nil, err
	}
	if !use.Given {
		return nil, invalid("session_token or session_jwt is required")
	}
	x, a, err := s.backend.Authenticate(k.Request.Context(), k.Caller, use)
	if err != nil {
		return nil, err
	}
	return s.show(k, x, a)
}

// sessions lists a user's sessions, without their tokens.
func (s *Surface) sessions(k call) (any, error) {
	id := k.Query("user_id")
	if id == "" {
		return nil, invalid("user_id is required")
	}
	list, a, err := s.backend.Sessions(k.Request.Context(), userOf(id))
	if err != nil {
		return nil, err
	}
	out := []sessionBody{}
	for _, x := range list {
		out = append(out, s.sessionBody(x, a))
	}
	return struct {
		Sessions []sessionBody `json:"sessions"`
	}{out}, nil
}

// deleteSession ends the session that one of three members names.
func (s *Surface) deleteSession(k call) (any, error) {
	in, err := read(k.Context)
	if err != nil {
		return nil, err
	}
	id, others := in.Text("session_id"), in.Text("session_token")+in.Text("session_jwt")
	if (id == "") == (others == "") {
		in.Fault("one of session_token, session_jwt and session_id", "is required")
	}
	use, err := s.named(k, in)
	if err != nil {
		return nil, err
	}
	if id != "" {
		use.ID = sessionOf(id)
	}
	if use.ID == "" {
		return nil, &mfa.Error{Code: mfa.SessionNotFound}
	}
	if err := s.backend.EndSession(k.Request.Context(), k.Caller, use.ID); err != nil {
		return nil, err
	}
	return struct {
		Message string `json:"message"`
	}{"Session deleted."}, nil
}

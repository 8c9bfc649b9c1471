package streambird

import "encoding/json"

// keySet returns the keys that JWTs are verified with.
func (s *Surface) keySet(call) (any, error) {
	d, err := s.jwts.JWKS()
	if err != nil {
		return nil, err
	}
	return json.RawMessage(d.Body), nil
}

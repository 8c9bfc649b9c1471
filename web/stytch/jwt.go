package stytch

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/provider/sessionjwt"
	"sallyport/provider/signing"
	"sallyport/storage"
	"sallyport/storage/seal"
	"sallyport/web/wireid"
)

// jwtLife is how long a JWT may be checked without the server.
const jwtLife = 5 * time.Minute

// sessionClaim describes the session in a JWT.
const sessionClaim = vendorClaims + "session"

// newSigner returns the signer of the dialect's JWTs in an environment.
func newSigner(keyring *seal.Keyring, random io.Reader, environment string) *sessionjwt.Signer {
	return sessionjwt.New(keyring, random, signing.Form{KID: wireid.StytchKey(environment), Detailed: true})
}

// issuer is the iss claim of the JWTs for a project.
func issuer(project string) string { return "stytch.com/" + project }

// sign returns a JWT that describes a session to the backend of a project.
func (s *Surface) sign(x sessionBody, project string) (string, error) {
	now := s.now()
	claims := make(map[string]any, len(x.Claims)+7)
	for name, value := range x.Claims {
		claims[name] = value
	}
	claims["iss"], claims["sub"], claims["aud"] = issuer(project), x.UserID, []string{project}
	claims["iat"], claims["nbf"], claims["exp"] = now.Unix(), now.Unix(), now.Add(jwtLife).Unix()
	claims[sessionClaim] = struct {
		ID         string         `json:"id"`
		StartedAt  moment         `json:"started_at"`
		AccessedAt moment         `json:"last_accessed_at"`
		ExpiresAt  moment         `json:"expires_at"`
		Attributes attributesBody `json:"attributes"`
		Factors    []factorBody   `json:"authentication_factors"`
		Roles      []string       `json:"roles"`
	}{x.ID, x.StartedAt, x.AccessedAt, x.ExpiresAt, x.Attributes, x.Factors, x.Roles}
	return s.signer.Sign(claims, now)
}

// sessionOf returns the session of a JWT for a project, even if the JWT has expired; "" for
// anything that this server has not signed for the project.
func (s *Surface) sessionOf(jwt, project string) (storage.SessionID, error) {
	text, err := s.signer.Verify(jwt)
	if errors.Is(err, sessionjwt.ErrInvalid) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var claims struct {
		Issuer   string   `json:"iss"`
		Audience []string `json:"aud"`
		Session  struct {
			ID string `json:"id"`
		} `json:"https://stytch.com/session"`
	}
	if json.Unmarshal(text, &claims) != nil || claims.Issuer != issuer(project) || !slices.Contains(claims.Audience, project) {
		return "", nil
	}
	id, _ := wireid.FromStytch[storage.SessionID](wireid.StytchSession, s.environment, claims.Session.ID)
	return id, nil
}

// projectID is the ID of a project: the kind, the environment and a UUID.
var projectID = regexp.MustCompile(`^project-(test|live)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// keySet publishes the keys of the JWTs, without credentials. They are those of all projects
// of the server.
func (s *Surface) keySet(c *gin.Context) {
	project := projectID.FindStringSubmatch(c.Param("project_id"))
	if project == nil || project[1] != s.environment {
		s.fail(c, &fault{noProject, nil}, nil)
		return
	}
	set, err := s.signer.JWKS()
	if err != nil {
		s.fail(c, err, nil)
		return
	}
	b := struct {
		envelope
		Keys json.RawMessage `json:"keys"`
	}{envelope: s.answered()}
	if err := json.Unmarshal(set.Body, &b); err != nil {
		s.fail(c, err, nil)
		return
	}
	c.Header("Cache-Control", "public, max-age=300") // less than the time a key is published before its first use
	c.JSON(http.StatusOK, b)
}

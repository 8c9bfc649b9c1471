package account

import (
	"encoding/json"
	"fmt"

	"sallyport/storage"
)

// signal returns what the script tells the browser after a change, so that its list shows the
// passkeys that still exist, under the name the account has now (WebAuthn Level 3 section 5.1.10).
func (p *Pages) signal(a storage.Account) (string, error) {
	if p.passkeys == nil {
		return "", nil
	}
	accepted, name := p.passkeys.Accepted(a), nameOf(a)
	text, err := json.Marshal(map[string]any{
		"signalAllAcceptedCredentials": accepted,
		"signalCurrentUserDetails":     map[string]any{"rpId": accepted.RPID, "userId": accepted.UserID, "name": name, "displayName": name},
	})
	if err != nil {
		return "", fmt.Errorf("write signals: %w", err)
	}
	return string(text), nil
}

package claims

import "sallyport/storage"

func roles(a *storage.Account) any {
	if len(a.User.Roles) == 0 {
		return nil
	}
	return a.User.Roles
}

// Identifier returns the first verified identifier of a kind, or else the first that does not
// expire.
func Identifier(a *storage.Account, kind storage.IdentifierKind) *storage.Identifier {
	var first *storage.Identifier
	for i := range a.Identifiers {
		id := &a.Identifiers[i]
		if id.Kind != kind || !id.ExpiresAt.IsZero() {
			continue
		}
		if !id.VerifiedAt.IsZero() {
			return id
		}
		if first == nil {
			first = id
		}
	}
	return first
}

func valueOf(a *storage.Account, kind storage.IdentifierKind) any {
	if id := Identifier(a, kind); id != nil {
		return id.Text()
	}
	return nil
}

// verified returns nil if there is nothing to verify.
func verified(a *storage.Account, kind storage.IdentifierKind) any {
	if id := Identifier(a, kind); id != nil {
		return !id.VerifiedAt.IsZero()
	}
	return nil
}

func preferredUsername(a *storage.Account) any {
	if v, ok := a.User.Profile["preferred_username"]; ok {
		return v
	}
	return valueOf(a, storage.Username)
}

func updatedAt(a *storage.Account) any {
	if a.User.UpdatedAt.IsZero() {
		return nil
	}
	return a.User.UpdatedAt.Unix()
}

package passcode

import (
	"context"
	"encoding/json"
	"fmt"

	"sallyport/mfa"
	"sallyport/storage"
)

// data is what an authenticator holds: the address to send to.
type data struct {
	Address string `json:"address"`
}

// Enroll returns InvalidRequest: users name an address.
func (m *Method) Enroll(context.Context, mfa.Holder) (storage.Authenticator, mfa.Handout, error) {
	return storage.Authenticator{}, mfa.Handout{}, &mfa.Error{Code: mfa.InvalidRequest}
}

// Handout returns an empty Handout: there is no secret to hand out.
func (m *Method) Handout(storage.Authenticator, mfa.Holder) (mfa.Handout, error) {
	return mfa.Handout{}, nil
}

// EnrollAddress creates a pending authenticator of an address.
func (m *Method) EnrollAddress(typed string) (storage.Authenticator, error) {
	i, err := mfa.Identify(typed)
	if err != nil {
		return storage.Authenticator{}, err
	}
	if i.Kind != m.kind {
		return storage.Authenticator{}, &mfa.Error{Code: mfa.InvalidIdentifier}
	}
	if err := mfa.CheckNew(i.Kind, i.Value); err != nil {
		return storage.Authenticator{}, err
	}
	address := i.Text()
	if _, ok := m.toll(mfa.Destination{Address: address}); !ok {
		return storage.Authenticator{}, &mfa.Error{Code: mfa.AddressNotAllowed}
	}
	text, err := json.Marshal(data{address})
	if err != nil {
		return storage.Authenticator{}, fmt.Errorf("write address: %w", err)
	}
	return storage.Authenticator{Method: m.info.Name, Data: text}, nil
}

// AddressOf returns the address of an authenticator; "": none.
func (m *Method) AddressOf(a storage.Authenticator) string {
	var d data
	if a.Method != m.info.Name || json.Unmarshal(a.Data, &d) != nil {
		return ""
	}
	return d.Address
}

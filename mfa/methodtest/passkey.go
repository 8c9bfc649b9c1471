package methodtest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/throttle"
	"sallyport/storage"
)

// passkeyLate is how long a challenge of a Passkey is valid.
const passkeyLate = time.Minute

// Accounts is the part of storage that a Passkey reads.
type Accounts interface {
	Account(ctx context.Context, id storage.UserID) (storage.Account, error)
}

// Passkey is a method that identifies its user: the device sends the user ID, as discoverable
// credentials do (WebAuthn section 6.2), and signs the challenge and a counter.
type Passkey struct {
	Accounts Accounts
	Random   io.Reader
}

type passkeyState struct {
	Challenge []byte    `json:"challenge"`
	Until     time.Time `json:"until"`
}

type passkeyResponse struct {
	User          storage.UserID          `json:"user"`
	Authenticator storage.AuthenticatorID `json:"authenticator"`
	Counter       int64                   `json:"counter"`
	Signature     []byte                  `json:"signature"`
}

// Info describes the method.
func (p *Passkey) Info() mfa.Info {
	return mfa.Info{Name: "fake-passkey", Kinds: []storage.Kind{storage.Have, storage.Are}, AMR: []string{"swk", "user"},
		PhishingResistant: true, First: true, Second: true, Bucket: throttle.Factor}
}

// Begin returns a random challenge.
func (p *Passkey) Begin(_ context.Context, a mfa.Attempt) (mfa.Begun, error) {
	random := make([]byte, 32)
	if _, err := io.ReadFull(p.Random, random); err != nil {
		return mfa.Begun{}, fmt.Errorf("make challenge: %w", err)
	}
	c, err := json.Marshal(random)
	if err != nil {
		return mfa.Begun{}, fmt.Errorf("write challenge: %w", err)
	}
	s, err := json.Marshal(passkeyState{Challenge: random, Until: a.Now.Add(passkeyLate)})
	if err != nil {
		return mfa.Begun{}, fmt.Errorf("write state: %w", err)
	}
	return mfa.Begun{Challenge: c, State: s}, nil
}

// Parse returns InvalidRequest for anything but a response of a passkey.
func (p *Passkey) Parse(_ mfa.Attempt, r mfa.Response) error {
	_, err := parsePasskey(r)
	return err
}

func parsePasskey(r mfa.Response) (passkeyResponse, error) {
	var in passkeyResponse
	if err := json.Unmarshal(r, &in); err != nil || in.User == "" || in.Authenticator == "" || len(in.Signature) != ed25519.SignatureSize {
		return in, &mfa.Error{Code: mfa.InvalidRequest}
	}
	return in, nil
}

// Finish checks the signature of the user's device and its counter.
func (p *Passkey) Finish(ctx context.Context, a mfa.Attempt, s mfa.State, r mfa.Response) (mfa.Proof, error) {
	in, err := parsePasskey(r)
	if err != nil {
		return mfa.Proof{}, err
	}
	wrong := &mfa.Error{Code: mfa.InvalidCredentials}
	var kept passkeyState
	if err := json.Unmarshal(s, &kept); err != nil || !a.Now.Before(kept.Until) {
		return mfa.Proof{}, wrong
	}
	account, err := p.Accounts.Account(ctx, in.User)
	if errors.Is(err, storage.ErrNotFound) {
		return mfa.Proof{}, wrong
	}
	if err != nil {
		return mfa.Proof{}, fmt.Errorf("read account: %w", err)
	}
	if account.User.Status == storage.UserDisabled || a.Account != nil && a.Account.User.ID != in.User {
		return mfa.Proof{}, wrong
	}
	for _, x := range account.Authenticators {
		if x.ID != in.Authenticator || x.Method != p.Info().Name || x.State != storage.AuthenticatorActive ||
			!ed25519.Verify(x.Secret, signed(kept.Challenge, in.Counter), in.Signature) {
			continue
		}
		if in.Counter <= x.Counter {
			return mfa.Proof{}, &mfa.Error{Code: mfa.Replayed}
		}
		i := p.Info()
		return mfa.Proof{User: in.User, Authenticator: x.ID, Kinds: i.Kinds, AMR: i.AMR, PhishingResistant: true,
			Spend: storage.CredentialSpend{User: in.User, Authenticator: x.ID, Step: in.Counter}}, nil
	}
	return mfa.Proof{}, wrong
}

func signed(challenge []byte, counter int64) []byte {
	return binary.BigEndian.AppendUint64(bytes.Clone(challenge), uint64(max(counter, 0))) //nolint:gosec // not negative
}

// Device holds a passkey.
type Device struct {
	user    storage.UserID
	id      storage.AuthenticatorID
	key     ed25519.PrivateKey
	counter int64
}

// NewDevice returns a device and its authenticator, to be stored.
func NewDevice(random io.Reader, user storage.UserID, now time.Time) (*Device, storage.Authenticator, error) {
	public, private, err := ed25519.GenerateKey(random)
	if err != nil {
		return nil, storage.Authenticator{}, fmt.Errorf("make passkey: %w", err)
	}
	d := &Device{user: user, id: storage.AuthenticatorID(storage.Random128(random)), key: private}
	return d, storage.Authenticator{ID: d.id, UserID: user, Method: "fake-passkey", State: storage.AuthenticatorActive,
		Secret: public, CreatedAt: now, UpdatedAt: now}, nil
}

// Answer signs a challenge.
func (d *Device) Answer(c mfa.Challenge) (mfa.Response, error) {
	var challenge []byte
	if err := json.Unmarshal(c, &challenge); err != nil {
		return nil, fmt.Errorf("read challenge: %w", err)
	}
	d.counter++
	r, err := json.Marshal(passkeyResponse{User: d.user, Authenticator: d.id, Counter: d.counter,
		Signature: ed25519.Sign(d.key, signed(challenge, d.counter))})
	if err != nil {
		return nil, fmt.Errorf("write response: %w", err)
	}
	return r, nil
}

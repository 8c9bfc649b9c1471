package dev

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"sallyport/cmd/sallyport/secretfile"
)

// secrets are those of the test users and clients. The folder keeps them, so that a restart
// prints the same ones; the server has only their hashes.
type secrets struct {
	Alice, Bob userSecrets
	Web, M2M   string // client secrets
}

type userSecrets struct {
	Password      string
	TOTPSecret    string   `json:",omitempty"`
	RecoveryCodes []string `json:",omitempty"`
}

func (f *folder) secrets(random io.Reader) (secrets, error) {
	var s secrets
	text, err := os.ReadFile(f.path("secrets.json"))
	if errors.Is(err, os.ErrNotExist) {
		return f.newSecrets(random)
	}
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		return s, fmt.Errorf("secrets of the data folder (--reset creates new ones): %w", err)
	}
	return s, nil
}

func (f *folder) newSecrets(random io.Reader) (secrets, error) {
	d := generator{random}
	s := secrets{
		Alice: userSecrets{Password: d.phrase(), TOTPSecret: d.base32(20)},
		Bob:   userSecrets{Password: d.phrase()},
		Web:   d.base64(32), M2M: d.base64(32),
	}
	for range 10 {
		s.Alice.RecoveryCodes = append(s.Alice.RecoveryCodes, d.base32(15))
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return s, fmt.Errorf("write secrets: %w", err)
	}
	return s, secretfile.Write(f.path("secrets.json"), append(text, '\n'))
}

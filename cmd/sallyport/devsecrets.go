package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// devSecrets are the passwords of the seeded users and clients. They are kept so
// that a restart prints the same ones; the server itself has only their hashes.
type devSecrets struct {
	Alice, Bob devUser
	Web, M2M   string // client secrets
}

type devUser struct {
	Password      string
	TOTPSecret    string   `json:",omitempty"`
	RecoveryCodes []string `json:",omitempty"`
}

func (f *folder) secrets(random io.Reader) (devSecrets, error) {
	var s devSecrets
	text, err := os.ReadFile(f.path("secrets.json"))
	if errors.Is(err, os.ErrNotExist) {
		return f.newSecrets(random)
	}
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		return s, fmt.Errorf("secrets of the data folder (--reset makes new ones): %w", err)
	}
	return s, nil
}

func (f *folder) newSecrets(random io.Reader) (devSecrets, error) {
	d := dice{random}
	s := devSecrets{
		Alice: devUser{Password: d.phrase(), TOTPSecret: d.base32(20)},
		Bob:   devUser{Password: d.phrase()},
		Web:   d.base64(32), M2M: d.base64(32),
	}
	for range 10 {
		s.Alice.RecoveryCodes = append(s.Alice.RecoveryCodes, d.base32(15))
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return s, fmt.Errorf("write secrets: %w", err)
	}
	return s, writeNew(f.path("secrets.json"), append(text, '\n'))
}

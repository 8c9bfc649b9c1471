package main

import (
	"bytes"
	"reflect"
	"slices"
	"strings"

	"sallyport/mfa"
	"sallyport/storage"
)

// clientDifferences compares two clients key by key, the times and the secrets
// excepted. Keys have the names of the desired state, which are those of the record.
func clientDifferences(have, want storage.Client) []mfa.Difference {
	var out []mfa.Difference
	a, b := reflect.ValueOf(have), reflect.ValueOf(want)
	for i := range a.NumField() {
		field := a.Type().Field(i)
		if slices.Contains([]string{"ID", "SecretHashes", "CreatedAt", "UpdatedAt"}, field.Name) {
			continue
		}
		key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		from, to := settingOf(a.Field(i)), settingOf(b.Field(i))
		if !reflect.DeepEqual(from, to) {
			out = append(out, mfa.Difference{Key: key, From: from, To: to})
		}
	}
	return out
}

// settingOf is a value as the desired state writes it; nil: left out.
func settingOf(v reflect.Value) any {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		if s, ok := v.Elem().Interface().(storage.Seconds); ok {
			return s.Duration().String()
		}
		return v.Elem().Interface()
	}
	if v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0 {
		return nil
	}
	if s, ok := v.Interface().(storage.Seconds); ok {
		return s.Duration().String()
	}
	return v.Interface()
}

// sameSecret reports whether the secret a client should have is one it has. While a
// rotation is under way there are two, and apply leaves both.
func sameSecret(have, want storage.Client) bool {
	if len(want.SecretHashes) == 0 {
		return len(have.SecretHashes) == 0
	}
	return slices.ContainsFunc(have.SecretHashes, func(h []byte) bool { return bytes.Equal(h, want.SecretHashes[0]) })
}

package desired

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/users"
	"sallyport/provider/apikeys"
	"sallyport/storage"
)

// apiKeyStep creates or changes an API key.
type apiKeyStep struct {
	draft       apikeys.Draft
	was         *storage.APIKey // nil: new
	want        storage.APIKey
	differences []users.Difference
}

// newAPIKeyDraft converts an API key of a desired state for provider.
func newAPIKeyDraft(k *APIKey) (apikeys.Draft, error) {
	d := apikeys.Draft{Name: k.Name, Dialects: k.Dialects, Verbs: k.Verbs, Project: k.Project, App: k.App,
		Disabled: k.Disabled != nil && *k.Disabled, ExpiresAt: k.ExpiresAt.Truncate(time.Microsecond), Secret: k.Secret}
	if k.SecretSHA256 != "" {
		var err error
		if d.SecretHash, err = hex.DecodeString(k.SecretSHA256); err != nil {
			return d, fmt.Errorf("secret_sha256: %w", err)
		}
	}
	return d, nil
}

// planAPIKeys compares the API keys of a desired state with the existing ones.
func (p *planner) planAPIKeys(ctx context.Context, keys []APIKey) error {
	have, err := p.APIKeys.List(ctx)
	if err != nil {
		return err
	}
	named := map[string]bool{}
	hashes := map[string]string{} // secret hash: name of its key
	for _, k := range have {
		for _, hash := range k.Hashes {
			hashes[string(hash)] = k.Name
		}
	}
	for i := range keys {
		named[keys[i].Name] = true
		path := fmt.Sprintf("api_keys[%d]", i)
		before := len(p.plan.keys)
		p.planAPIKey(&keys[i], path, have, hashes)
		if len(p.plan.keys) == before { // an unchanged key need not be within the caller's rights
			continue
		}
		if err := p.allowed(ctx, p.plan.keys[before], path); err != nil {
			return err
		}
	}
	for _, k := range have {
		if named[k.Name] {
			continue
		}
		gone, err := p.prunable(ctx, k)
		switch {
		case err != nil:
			return err
		case gone:
			p.plan.prunedKeys = append(p.plan.prunedKeys, k)
		default:
			p.plan.leftKeys = append(p.plan.leftKeys, k.Name)
		}
	}
	return nil
}

// prunable reports whether to delete a key that is not in the file: not the caller's own, nor
// one it may not delete.
func (p *planner) prunable(ctx context.Context, k storage.APIKey) (bool, error) {
	if !p.o.Prune || k.ID == p.o.By.ID() {
		return false, nil
	}
	err := p.APIKeys.May(ctx, p.o.By, k.ID)
	if foreign(err) || errors.Is(err, apikeys.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// allowed reports what the calling API key may not do of a step.
func (p *planner) allowed(ctx context.Context, s apiKeyStep, path string) error {
	for _, f := range p.APIKeys.Faults(p.o.By, s.draft) {
		p.fault(path+"."+f.Field, f.Err.Error())
	}
	if s.was == nil {
		return nil
	}
	err := p.APIKeys.May(ctx, p.o.By, s.was.ID)
	if foreign(err) {
		p.fault(path, err.Error())
		return nil
	}
	return err
}

// foreign reports whether the caller may not change a key.
func foreign(err error) bool {
	return errors.Is(err, apikeys.ErrNotPermitted) || errors.Is(err, apikeys.ErrOperatorOnly)
}

func (p *planner) planAPIKey(k *APIKey, path string, have []storage.APIKey, hashes map[string]string) {
	d, err := newAPIKeyDraft(k)
	if err != nil {
		return // already reported by Parse
	}
	faults := p.APIKeys.Faults(apikeys.Operator(), d)
	for _, f := range faults {
		p.fault(path+"."+f.Field, f.Err.Error())
	}
	if len(faults) > 0 {
		return
	}
	hash, key := d.Hash(), "secret"
	if d.Secret == "" {
		key = "secret_sha256"
	}
	if hash != nil {
		if other, taken := hashes[string(hash)]; taken && other != d.Name {
			p.fault(path+"."+key, fmt.Sprintf("API key %q has this secret", other))
			return
		}
		hashes[string(hash)] = d.Name
	}
	i := slices.IndexFunc(have, func(k storage.APIKey) bool { return k.Name == d.Name })
	if i < 0 {
		if hash == nil {
			p.fault(path+".secret", "or secret_sha256 is required for a key that is not there yet")
			return
		}
		step := apiKeyStep{draft: d, differences: apiKeyDifferences(storage.APIKey{}, d.Into(storage.APIKey{}))}
		step.differences = append(step.differences, users.Difference{Key: "secret", Secret: true})
		p.plan.keys = append(p.plan.keys, step)
		return
	}
	if k.Disabled == nil { // a run does not enable a key that a command disabled
		d.Disabled = have[i].Disabled
	}
	step := apiKeyStep{draft: d, was: &have[i], want: d.Into(have[i])}
	step.differences = apiKeyDifferences(have[i], step.want)
	// During a rotation there are two secrets; keep both.
	if hash != nil && !slices.ContainsFunc(have[i].Hashes, func(h []byte) bool { return bytes.Equal(h, hash) }) {
		step.want.Hashes = [][]byte{hash}
		step.differences = append(step.differences, users.Difference{Key: "secret", Secret: true})
	}
	if len(step.differences) > 0 {
		p.plan.keys = append(p.plan.keys, step)
	}
}

// apiKeyDifferences compares the settings of two keys; the names are those of the desired state.
func apiKeyDifferences(have, want storage.APIKey) []users.Difference {
	var out []users.Difference
	for _, x := range []struct {
		key      string
		from, to any
	}{
		{"dialects", have.Dialects, want.Dialects}, {"verbs", have.Verbs, want.Verbs}, {"project", have.Project, want.Project},
		{"app", have.App, want.App}, {"disabled", have.Disabled, want.Disabled}, {"expires_at", have.ExpiresAt, want.ExpiresAt},
	} {
		from, to := settingOf(reflect.ValueOf(x.from)), settingOf(reflect.ValueOf(x.to))
		if !reflect.DeepEqual(from, to) {
			out = append(out, users.Difference{Key: x.key, From: from, To: to})
		}
	}
	return out
}

// carryOut creates or changes the key.
func (s *apiKeyStep) carryOut(ctx context.Context, keys *apikeys.Keys, v mfa.Caller, by apikeys.Caller) error {
	if s.was != nil {
		return keys.Change(ctx, v, by, *s.was, s.want)
	}
	k, _, err := keys.Create(ctx, v, by, s.draft)
	s.want.ID = k.ID
	return err
}

// pruneAPIKey deletes a key, if it still exists.
func pruneAPIKey(ctx context.Context, keys *apikeys.Keys, v mfa.Caller, by apikeys.Caller, id storage.APIKeyID) error {
	if err := keys.Delete(ctx, v, by, id); !errors.Is(err, apikeys.ErrNotFound) {
		return err
	}
	return nil
}

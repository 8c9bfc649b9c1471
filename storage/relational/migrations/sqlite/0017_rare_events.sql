-- Events of the kinds that most logins and tokens cause are found by time; an index of them cost
-- more than it found. The list is that of frequentKinds.

-- +goose Up
CREATE INDEX events_rare ON events (kind, id) WHERE kind NOT IN ('api_key.used', 'code.issued', 'code.redeemed', 'login.finished', 'mfa.initiated', 'mfa.ok', 'password.ok', 'token.issued', 'token.refreshed');
DROP INDEX events_kind;

-- +goose Down
CREATE INDEX events_kind ON events (kind, id);
DROP INDEX events_rare;

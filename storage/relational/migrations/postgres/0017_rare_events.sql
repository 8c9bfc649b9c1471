-- Events of the kinds that most logins and tokens cause are found by time; an index of them cost
-- more than it found. The list is that of frequentKinds.
-- Without a transaction, so that the index is built beside the traffic.

-- +goose NO TRANSACTION
-- +goose Up
DROP INDEX IF EXISTS events_rare;
CREATE INDEX CONCURRENTLY events_rare ON events (kind, id) WHERE kind NOT IN ('api_key.used', 'code.issued', 'code.redeemed', 'login.finished', 'mfa.initiated', 'mfa.ok', 'password.ok', 'token.issued', 'token.refreshed');
DROP INDEX CONCURRENTLY IF EXISTS events_kind;

-- +goose Down
CREATE INDEX CONCURRENTLY IF NOT EXISTS events_kind ON events (kind, id);
DROP INDEX CONCURRENTLY IF EXISTS events_rare;

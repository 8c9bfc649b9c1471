-- What the support number of a response, and a login, are found by. Events that are older than this
-- version are found by neither.

-- +goose Up
ALTER TABLE events ADD COLUMN correlation_id TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN login TEXT NOT NULL DEFAULT '';
CREATE INDEX events_correlation ON events (correlation_id, id) WHERE correlation_id <> '';
CREATE INDEX events_login ON events (login, id) WHERE login <> '';

-- +goose Down
DROP INDEX events_login;
DROP INDEX events_correlation;
ALTER TABLE events DROP COLUMN login;
ALTER TABLE events DROP COLUMN correlation_id;

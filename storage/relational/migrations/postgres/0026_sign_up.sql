-- Tickets of an address that no user has yet, and the terms that a user accepted. The previous
-- version finds the former by their link only, for purposes that it does not know.

-- +goose Up
ALTER TABLE tickets ALTER COLUMN user_id DROP NOT NULL;
ALTER TABLE tickets ADD COLUMN owner BYTEA;
CREATE INDEX tickets_owner ON tickets (owner);
ALTER TABLE users ADD COLUMN terms TEXT NOT NULL DEFAULT '';

-- +goose Down
DELETE FROM tickets WHERE user_id IS NULL;
DROP INDEX tickets_owner;
ALTER TABLE tickets DROP COLUMN owner;
ALTER TABLE tickets ALTER COLUMN user_id SET NOT NULL;
ALTER TABLE users DROP COLUMN terms;

-- The scopes that a user left out when allowing a client the others.

-- +goose Up
ALTER TABLE consents ADD COLUMN declined TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE consents DROP COLUMN declined;

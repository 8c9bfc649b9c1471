-- The resource servers that a user was shown when allowing a client its scopes.

-- +goose Up
ALTER TABLE consents ADD COLUMN resources TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE consents DROP COLUMN resources;

-- The default is for the version before this one, which goes on opening requests meanwhile.

-- +goose Up
-- Keyed hashes of the names that were asked about before anybody was identified.
ALTER TABLE auth_requests ADD COLUMN names TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE auth_requests DROP COLUMN names;

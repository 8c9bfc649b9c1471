-- The default is for the version before this one, which goes on making users meanwhile.

-- +goose Up
ALTER TABLE users ADD COLUMN roles TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE users DROP COLUMN roles;

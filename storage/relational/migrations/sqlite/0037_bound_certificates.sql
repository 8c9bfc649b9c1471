-- Certificates that refresh tokens are bound to.

-- +goose Up
ALTER TABLE grants ADD COLUMN refresh_x5t TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE grants DROP COLUMN refresh_x5t;

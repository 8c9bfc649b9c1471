-- When a user declined the offer of a passkey after a login; 0: never.

-- +goose Up
ALTER TABLE users ADD COLUMN passkey_declined_at BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE users DROP COLUMN passkey_declined_at;

-- When an unverified identifier is dropped; 0: never, as the version before this one has it.

-- +goose Up
ALTER TABLE identifiers ADD COLUMN expires_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX identifiers_expiry ON identifiers (expires_at) WHERE expires_at > 0;

-- +goose Down
DROP INDEX identifiers_expiry;
ALTER TABLE identifiers DROP COLUMN expires_at;

-- The default is for the version before this one, which goes on counting meanwhile.

-- +goose Up
-- The wait (next_at, until) that the audit trail tells of already; -1: none.
ALTER TABLE throttles ADD COLUMN told_at INTEGER NOT NULL DEFAULT -1;
ALTER TABLE address_throttles ADD COLUMN told_at INTEGER NOT NULL DEFAULT -1;

-- +goose Down
ALTER TABLE address_throttles DROP COLUMN told_at;
ALTER TABLE throttles DROP COLUMN told_at;

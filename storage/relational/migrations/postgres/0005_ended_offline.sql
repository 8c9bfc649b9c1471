-- A session that was ended together with everything it led to. The default is for the
-- version before this one, which goes on ending sessions meanwhile.

-- +goose Up
ALTER TABLE sessions ADD COLUMN ended_offline BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down
ALTER TABLE sessions DROP COLUMN ended_offline;

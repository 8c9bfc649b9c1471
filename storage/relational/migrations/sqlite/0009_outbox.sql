-- The default is for the version before this one, which goes on writing messages meanwhile.

-- +goose Up
-- The latest attempt with a known outcome. Of a leased message it is less than attempts; if
-- another attempt is missing between them, that one's outcome is not known.
ALTER TABLE outbox ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE outbox DROP COLUMN settled;

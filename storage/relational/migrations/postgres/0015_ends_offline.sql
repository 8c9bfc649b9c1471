-- Whether the end of a session also ends the client's grants with offline access. The database
-- derives it from the document, so the version before this one need not know it.

-- +goose Up
ALTER TABLE clients ADD COLUMN ends_offline BOOLEAN NOT NULL
    GENERATED ALWAYS AS (COALESCE(CAST(CAST(document AS jsonb) ->> 'logout_ends_offline' AS boolean), FALSE)) STORED;

-- +goose Down
ALTER TABLE clients DROP COLUMN ends_offline;

-- Whether the end of a session also ends the client's grants with offline access. The database
-- derives it from the document, so the version before this one need not know it.

-- +goose Up
ALTER TABLE clients ADD COLUMN ends_offline BOOLEAN NOT NULL
    GENERATED ALWAYS AS (COALESCE(json_extract(document, '$.logout_ends_offline'), FALSE)) VIRTUAL;

-- +goose Down
ALTER TABLE clients DROP COLUMN ends_offline;

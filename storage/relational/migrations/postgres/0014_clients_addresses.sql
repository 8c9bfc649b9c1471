-- Whether the end of a session also ends the client's grants with offline access. The database
-- derives it from the document, so the version before this one need not know it.
-- And whom each failure of an address is of, so that a success takes its own back. The version
-- before this one leaves the list as it is.

-- +goose Up
ALTER TABLE clients ADD COLUMN ends_offline BOOLEAN NOT NULL
    GENERATED ALWAYS AS (COALESCE(CAST(CAST(document AS jsonb) ->> 'logout_ends_offline' AS boolean), FALSE)) STORED;
ALTER TABLE address_throttles ADD COLUMN causes TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE address_throttles DROP COLUMN causes;
ALTER TABLE clients DROP COLUMN ends_offline;

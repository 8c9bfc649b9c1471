-- Which clients are told of the end of a session, and how. The database derives it from the
-- document, so the version before this one need not know it.

-- +goose Up
ALTER TABLE clients ADD COLUMN backchannel BOOLEAN NOT NULL
    GENERATED ALWAYS AS (COALESCE(json_extract(document, '$.backchannel_logout_uri'), '') <> '') VIRTUAL;
ALTER TABLE clients ADD COLUMN backchannel_sid BOOLEAN NOT NULL
    GENERATED ALWAYS AS (COALESCE(json_extract(document, '$.backchannel_logout_session_required'), FALSE)) VIRTUAL;
ALTER TABLE clients ADD COLUMN frontchannel BOOLEAN NOT NULL
    GENERATED ALWAYS AS (COALESCE(json_extract(document, '$.frontchannel_logout_uri'), '') <> '') VIRTUAL;

-- +goose Down
ALTER TABLE clients DROP COLUMN frontchannel;
ALTER TABLE clients DROP COLUMN backchannel_sid;
ALTER TABLE clients DROP COLUMN backchannel;

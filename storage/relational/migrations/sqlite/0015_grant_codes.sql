-- A grant is stored at the end of its login, and redeemed with its code, which is derived and
-- stored nowhere. The defaults are for the version before this one, which creates a grant when
-- its code is redeemed. This version does not use the table codes, except to remove expired
-- rows; the table stays for the version before.

-- +goose Up
ALTER TABLE grants ADD COLUMN code_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE grants ADD COLUMN redirect_uri TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN code_challenge TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN redeemed_at BIGINT NOT NULL DEFAULT 1;

-- +goose Down
DELETE FROM grants WHERE redeemed_at = 0;
ALTER TABLE grants DROP COLUMN redeemed_at;
ALTER TABLE grants DROP COLUMN code_challenge;
ALTER TABLE grants DROP COLUMN redirect_uri;
ALTER TABLE grants DROP COLUMN code_until;

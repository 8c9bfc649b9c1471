-- The name of who invites, which the invited person reads. Clients that registered themselves with an
-- initial access token take no place of those without.

-- +goose Up
ALTER TABLE invitations ADD COLUMN inviter TEXT NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN admitted BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down
ALTER TABLE clients DROP COLUMN admitted;
ALTER TABLE invitations DROP COLUMN inviter;

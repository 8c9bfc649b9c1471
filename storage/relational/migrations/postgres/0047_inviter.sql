-- The name of who invites, which the invited person reads.

-- +goose Up
ALTER TABLE invitations ADD COLUMN inviter TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE invitations DROP COLUMN inviter;

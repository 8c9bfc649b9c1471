-- The buckets in which a user failed since a success there. The default, for rows that exist and
-- for the version before this one, which goes on adding some, is all of them: their counters are
-- asked until the next success.

-- +goose Up
ALTER TABLE authenticators ADD COLUMN failing TEXT NOT NULL DEFAULT 'password,device,factor,passwordless,';

-- +goose Down
ALTER TABLE authenticators DROP COLUMN failing;

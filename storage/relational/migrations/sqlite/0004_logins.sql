-- A login of its own is a row beside that of its request. The defaults are for the version
-- before this one, which goes on opening requests meanwhile.

-- +goose Up
ALTER TABLE auth_requests ADD COLUMN parent BLOB;
ALTER TABLE auth_requests ADD COLUMN opener BLOB;
ALTER TABLE auth_requests ADD COLUMN restarts BIGINT NOT NULL DEFAULT 0;
CREATE INDEX auth_requests_browser ON auth_requests (browser) WHERE subject IS NOT NULL AND browser IS NOT NULL;
CREATE INDEX auth_requests_opener ON auth_requests (opener) WHERE subject IS NOT NULL AND opener IS NOT NULL;

-- +goose Down
DROP INDEX auth_requests_opener;
DROP INDEX auth_requests_browser;
ALTER TABLE auth_requests DROP COLUMN restarts;
ALTER TABLE auth_requests DROP COLUMN opener;
ALTER TABLE auth_requests DROP COLUMN parent;

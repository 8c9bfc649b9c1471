-- Indexes for searches of users: by a part of a name, as groups of three characters, which needs no
-- extension, and by a status that few have.
-- Without a transaction, so that the indexes are built beside the traffic.

-- +goose NO TRANSACTION
-- +goose Up
CREATE OR REPLACE FUNCTION name_trigrams(name TEXT) RETURNS TEXT[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT COALESCE(array_agg(DISTINCT substr(name, i, 3)), '{}') FROM generate_series(1, length(name) - 2) i
$$;
DROP INDEX IF EXISTS identifiers_trigrams;
CREATE INDEX CONCURRENTLY identifiers_trigrams ON identifiers USING gin (name_trigrams(value));
DROP INDEX IF EXISTS users_status;
CREATE INDEX CONCURRENTLY users_status ON users (status, id) WHERE status <> 'active';

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS users_status;
DROP INDEX CONCURRENTLY IF EXISTS identifiers_trigrams;
DROP FUNCTION IF EXISTS name_trigrams(TEXT);

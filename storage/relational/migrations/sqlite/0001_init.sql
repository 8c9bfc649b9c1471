-- Times are Unix microseconds, 0 says never. Hashes are keyed hashes of values that
-- are not kept. Columns named sealed, secret or params hold what package seal wrote.

-- +goose Up
CREATE TABLE versions (
    name  TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
);
INSERT INTO versions (name, value) VALUES ('clients', 0), ('keys', 0);

CREATE TABLE keys (
    id         TEXT NOT NULL PRIMARY KEY,
    use        TEXT NOT NULL,
    alg        TEXT NOT NULL,
    kek        TEXT NOT NULL,
    sealed     BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    active_at  INTEGER NOT NULL,
    retired_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);

CREATE TABLE users (
    id          TEXT NOT NULL PRIMARY KEY,
    status      TEXT NOT NULL,
    mfa_enabled BOOLEAN NOT NULL,
    profile     TEXT NOT NULL,
    metadata    TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
);

CREATE TABLE identifiers (
    id          TEXT NOT NULL PRIMARY KEY,
    user_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind        TEXT NOT NULL,
    value       TEXT NOT NULL UNIQUE,
    verified_at INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
);
CREATE INDEX identifiers_user ON identifiers (user_id);

CREATE TABLE authenticators (
    id           TEXT NOT NULL PRIMARY KEY,
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    method       TEXT NOT NULL,
    name         TEXT NOT NULL,
    origin       TEXT NOT NULL,
    state        TEXT NOT NULL,
    secret       BLOB,
    data         TEXT NOT NULL,
    counter      INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL
);
CREATE INDEX authenticators_user ON authenticators (user_id);
CREATE INDEX authenticators_pending ON authenticators (expires_at) WHERE state = 'pending';
-- One set of recovery codes a user, whoever races.
CREATE UNIQUE INDEX authenticators_recovery ON authenticators (user_id) WHERE method = 'recovery';

CREATE TABLE recovery_codes (
    user_id          TEXT NOT NULL,
    hash             BLOB NOT NULL,
    authenticator_id TEXT NOT NULL REFERENCES authenticators (id) ON DELETE CASCADE,
    position         INTEGER NOT NULL,
    sealed           BLOB NOT NULL,
    used_at          INTEGER NOT NULL,
    PRIMARY KEY (user_id, hash)
);
CREATE INDEX recovery_codes_authenticator ON recovery_codes (authenticator_id);

CREATE TABLE auth_requests (
    hash          BLOB NOT NULL PRIMARY KEY,
    client_id     TEXT NOT NULL,
    params        BLOB,
    browser       BLOB,
    state         TEXT NOT NULL,
    version       INTEGER NOT NULL,
    subject       TEXT,
    factors       TEXT NOT NULL,
    session_id    TEXT,
    consent       TEXT NOT NULL,
    show_recovery BOOLEAN NOT NULL,
    track         BLOB UNIQUE,
    track_request BLOB,
    initiations   INTEGER NOT NULL,
    requested_at  INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
);
CREATE INDEX auth_requests_subject ON auth_requests (subject) WHERE subject IS NOT NULL;
CREATE INDEX auth_requests_expiry ON auth_requests (expires_at);

CREATE TABLE statuses (
    hash             BLOB NOT NULL PRIMARY KEY,
    exchange         BLOB NOT NULL UNIQUE,
    request          BLOB,
    client_id        TEXT NOT NULL,
    user_id          TEXT,
    authenticator_id TEXT,
    method           TEXT NOT NULL,
    usage            TEXT NOT NULL,
    browser          BLOB,
    state            TEXT NOT NULL,
    attempts         INTEGER NOT NULL,
    sealed           BLOB NOT NULL,
    created_at       INTEGER NOT NULL,
    verified_at      INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL
);
CREATE INDEX statuses_request ON statuses (request) WHERE request IS NOT NULL;
CREATE INDEX statuses_user ON statuses (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX statuses_expiry ON statuses (expires_at);

CREATE TABLE throttles (
    bucket     TEXT NOT NULL,
    subject    BLOB NOT NULL,
    failures   INTEGER NOT NULL,
    next_at    INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    forget_at  INTEGER NOT NULL,
    PRIMARY KEY (bucket, subject)
);
CREATE INDEX throttles_forget ON throttles (forget_at) WHERE forget_at > 0;

CREATE TABLE address_throttles (
    address    TEXT NOT NULL PRIMARY KEY,
    since      INTEGER NOT NULL,
    failures   INTEGER NOT NULL,
    subjects   TEXT NOT NULL,
    until      INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE INDEX address_throttles_expiry ON address_throttles (expires_at);

CREATE TABLE sessions (
    id           TEXT NOT NULL PRIMARY KEY,
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    origin       TEXT NOT NULL,
    factors      TEXT NOT NULL,
    generation   INTEGER NOT NULL,
    address      TEXT NOT NULL,
    user_agent   TEXT NOT NULL,
    attributes   TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    idle_until   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    ended_at     INTEGER NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE clients (
    id         TEXT NOT NULL PRIMARY KEY,
    document   TEXT NOT NULL,
    updated_at INTEGER NOT NULL
);

CREATE TABLE consents (
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id  TEXT NOT NULL,
    scopes     TEXT NOT NULL,
    granted_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, client_id)
);
CREATE INDEX consents_client ON consents (client_id);

CREATE TABLE codes (
    hash          BLOB NOT NULL PRIMARY KEY,
    grant_id      TEXT NOT NULL,
    client_id     TEXT NOT NULL,
    user_id       TEXT,
    session_id    TEXT,
    auth          TEXT NOT NULL,
    params        TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    used_at       INTEGER NOT NULL
);
CREATE INDEX codes_user ON codes (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX codes_client ON codes (client_id);
CREATE INDEX codes_expiry ON codes (expires_at);

CREATE TABLE grants (
    id            TEXT NOT NULL PRIMARY KEY,
    client_id     TEXT NOT NULL,
    user_id       TEXT,
    session_id    TEXT,
    auth          TEXT NOT NULL,
    offline       BOOLEAN NOT NULL,
    refreshable   BOOLEAN NOT NULL,
    generation    INTEGER NOT NULL,
    rotated_at    INTEGER NOT NULL,
    refresh_until INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    revoked_at    INTEGER NOT NULL,
    revoke_reason TEXT NOT NULL,
    -- Set once, unlike refresh_until, so that a rotation touches no index.
    sweep_at      INTEGER NOT NULL
);
CREATE INDEX grants_user ON grants (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX grants_session ON grants (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX grants_client ON grants (client_id);
CREATE INDEX grants_sweep ON grants (sweep_at);

CREATE TABLE revoked_tokens (
    hash       BLOB NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
);
CREATE INDEX revoked_tokens_expiry ON revoked_tokens (expires_at);

CREATE TABLE events (
    id        TEXT NOT NULL PRIMARY KEY,
    at        INTEGER NOT NULL,
    kind      TEXT NOT NULL,
    user_id   TEXT,
    client_id TEXT NOT NULL,
    canonical TEXT NOT NULL
);
CREATE INDEX events_user ON events (user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX events_client ON events (client_id, id) WHERE client_id <> '';
CREATE INDEX events_kind ON events (kind, id);

CREATE TABLE outbox (
    id           TEXT NOT NULL PRIMARY KEY,
    kind         TEXT NOT NULL,
    recipient    TEXT NOT NULL,
    template     TEXT NOT NULL,
    locale       TEXT NOT NULL,
    sealed       BLOB,
    created_at   INTEGER NOT NULL,
    next_at      INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    delivered_at INTEGER NOT NULL,
    dead_at      INTEGER NOT NULL,
    last_error   TEXT NOT NULL
);
CREATE INDEX outbox_due ON outbox (next_at) WHERE delivered_at = 0 AND dead_at = 0;
CREATE INDEX outbox_created ON outbox (created_at);

-- +goose Down
DROP TABLE outbox;
DROP TABLE events;
DROP TABLE revoked_tokens;
DROP TABLE grants;
DROP TABLE codes;
DROP TABLE consents;
DROP TABLE clients;
DROP TABLE sessions;
DROP TABLE address_throttles;
DROP TABLE throttles;
DROP TABLE statuses;
DROP TABLE auth_requests;
DROP TABLE recovery_codes;
DROP TABLE authenticators;
DROP TABLE identifiers;
DROP TABLE users;
DROP TABLE keys;
DROP TABLE versions;

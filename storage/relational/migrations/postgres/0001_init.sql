-- Times are Unix microseconds, 0 says never. Hashes are keyed hashes of values that
-- are not kept. Columns named sealed, secret or params hold what package seal wrote.

-- +goose Up
CREATE TABLE versions (
    name  TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO versions (name, value) VALUES ('clients', 0), ('keys', 0);

CREATE TABLE keys (
    id         UUID NOT NULL PRIMARY KEY,
    use        TEXT NOT NULL,
    alg        TEXT NOT NULL,
    kek        TEXT NOT NULL,
    sealed     BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    active_at  BIGINT NOT NULL,
    retired_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE users (
    id          UUID NOT NULL PRIMARY KEY,
    status      TEXT NOT NULL,
    mfa_enabled BOOLEAN NOT NULL,
    profile     TEXT NOT NULL,
    metadata    TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
);

CREATE TABLE identifiers (
    id          UUID NOT NULL PRIMARY KEY,
    user_id     UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind        TEXT NOT NULL,
    value       TEXT NOT NULL UNIQUE,
    verified_at BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
);
CREATE INDEX identifiers_user ON identifiers (user_id);

CREATE TABLE authenticators (
    id           UUID NOT NULL PRIMARY KEY,
    user_id      UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    method       TEXT NOT NULL,
    name         TEXT NOT NULL,
    origin       TEXT NOT NULL,
    state        TEXT NOT NULL,
    secret       BYTEA,
    data         TEXT NOT NULL,
    counter      BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX authenticators_user ON authenticators (user_id);
CREATE INDEX authenticators_pending ON authenticators (expires_at) WHERE state = 'pending';
-- One set of recovery codes a user, whoever races.
CREATE UNIQUE INDEX authenticators_recovery ON authenticators (user_id) WHERE method = 'recovery';

CREATE TABLE recovery_codes (
    user_id          UUID NOT NULL,
    hash             BYTEA NOT NULL,
    authenticator_id UUID NOT NULL REFERENCES authenticators (id) ON DELETE CASCADE,
    position         BIGINT NOT NULL,
    sealed           BYTEA NOT NULL,
    used_at          BIGINT NOT NULL,
    PRIMARY KEY (user_id, hash)
);
CREATE INDEX recovery_codes_authenticator ON recovery_codes (authenticator_id);

CREATE TABLE auth_requests (
    hash          BYTEA NOT NULL PRIMARY KEY,
    client_id     TEXT NOT NULL,
    params        BYTEA,
    browser       BYTEA,
    state         TEXT NOT NULL,
    version       BIGINT NOT NULL,
    subject       UUID,
    factors       TEXT NOT NULL,
    session_id    UUID,
    consent       TEXT NOT NULL,
    show_recovery BOOLEAN NOT NULL,
    track         BYTEA UNIQUE,
    track_request BYTEA,
    initiations   BIGINT NOT NULL,
    requested_at  BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX auth_requests_subject ON auth_requests (subject) WHERE subject IS NOT NULL;
CREATE INDEX auth_requests_expiry ON auth_requests (expires_at);

CREATE TABLE statuses (
    hash             BYTEA NOT NULL PRIMARY KEY,
    exchange         BYTEA NOT NULL UNIQUE,
    request          BYTEA,
    client_id        TEXT NOT NULL,
    user_id          UUID,
    authenticator_id UUID,
    method           TEXT NOT NULL,
    usage            TEXT NOT NULL,
    browser          BYTEA,
    state            TEXT NOT NULL,
    attempts         BIGINT NOT NULL,
    sealed           BYTEA NOT NULL,
    created_at       BIGINT NOT NULL,
    verified_at      BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX statuses_request ON statuses (request) WHERE request IS NOT NULL;
CREATE INDEX statuses_user ON statuses (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX statuses_expiry ON statuses (expires_at);

CREATE TABLE throttles (
    bucket     TEXT NOT NULL,
    subject    BYTEA NOT NULL,
    failures   BIGINT NOT NULL,
    next_at    BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    forget_at  BIGINT NOT NULL,
    PRIMARY KEY (bucket, subject)
);
CREATE INDEX throttles_forget ON throttles (forget_at) WHERE forget_at > 0;

CREATE TABLE address_throttles (
    address    TEXT NOT NULL PRIMARY KEY,
    since      BIGINT NOT NULL,
    failures   BIGINT NOT NULL,
    subjects   TEXT NOT NULL,
    until      BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX address_throttles_expiry ON address_throttles (expires_at);

CREATE TABLE sessions (
    id           UUID NOT NULL PRIMARY KEY,
    user_id      UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    origin       TEXT NOT NULL,
    factors      TEXT NOT NULL,
    generation   BIGINT NOT NULL,
    address      TEXT NOT NULL,
    user_agent   TEXT NOT NULL,
    attributes   TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    idle_until   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    ended_at     BIGINT NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE clients (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    document   TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE consents (
    user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id  TEXT NOT NULL,
    scopes     TEXT NOT NULL,
    granted_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, client_id)
);
CREATE INDEX consents_client ON consents (client_id);

CREATE TABLE codes (
    hash          BYTEA NOT NULL PRIMARY KEY,
    grant_id      UUID NOT NULL,
    client_id     TEXT NOT NULL,
    user_id       UUID,
    session_id    UUID,
    auth          TEXT NOT NULL,
    params        TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    used_at       BIGINT NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX codes_user ON codes (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX codes_client ON codes (client_id);
CREATE INDEX codes_expiry ON codes (expires_at);

CREATE TABLE grants (
    id            UUID NOT NULL PRIMARY KEY,
    client_id     TEXT NOT NULL,
    user_id       UUID,
    session_id    UUID,
    auth          TEXT NOT NULL,
    offline       BOOLEAN NOT NULL,
    refreshable   BOOLEAN NOT NULL,
    generation    BIGINT NOT NULL,
    rotated_at    BIGINT NOT NULL,
    refresh_until BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    revoked_at    BIGINT NOT NULL,
    revoke_reason TEXT NOT NULL,
    -- Set once, unlike refresh_until, so that a rotation touches no index.
    sweep_at      BIGINT NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX grants_user ON grants (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX grants_session ON grants (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX grants_client ON grants (client_id);
CREATE INDEX grants_sweep ON grants (sweep_at);

CREATE TABLE revoked_tokens (
    hash       BYTEA NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX revoked_tokens_expiry ON revoked_tokens (expires_at);

CREATE TABLE events (
    id        UUID NOT NULL PRIMARY KEY,
    at        BIGINT NOT NULL,
    kind      TEXT NOT NULL,
    user_id   UUID,
    client_id TEXT NOT NULL,
    canonical TEXT NOT NULL
);
CREATE INDEX events_user ON events (user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX events_client ON events (client_id, id) WHERE client_id <> '';
CREATE INDEX events_kind ON events (kind, id);

CREATE TABLE outbox (
    id           UUID NOT NULL PRIMARY KEY,
    kind         TEXT NOT NULL,
    recipient    TEXT NOT NULL,
    template     TEXT NOT NULL,
    locale       TEXT NOT NULL,
    sealed       BYTEA,
    created_at   BIGINT NOT NULL,
    next_at      BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    attempts     BIGINT NOT NULL,
    delivered_at BIGINT NOT NULL,
    dead_at      BIGINT NOT NULL,
    last_error   TEXT NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX outbox_due ON outbox (next_at) WHERE delivered_at = 0 AND dead_at = 0;
CREATE INDEX outbox_created ON outbox (created_at);

-- +goose Down
DROP TABLE outbox, events, revoked_tokens, grants, codes, consents, clients, sessions, address_throttles,
    throttles, statuses, auth_requests, recovery_codes, authenticators, identifiers, users, keys, versions;

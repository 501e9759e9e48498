-- The first format. What a released version has shipped is never edited here; a later file changes it.

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value ANY  NOT NULL
) STRICT, WITHOUT ROWID;

-- The log. The index holds `seq` too, as the rowid, so that one session's events come in their order.
CREATE TABLE events (
    seq     INTEGER PRIMARY KEY,
    session BLOB    NOT NULL,
    at      INTEGER NOT NULL,
    type    TEXT    NOT NULL,
    turn    INTEGER,
    cursor  INTEGER,
    data    TEXT    NOT NULL
) STRICT;
CREATE INDEX events_of_session ON events (session);

-- Projections. `row` is the truth; the columns beside it are for looking things up.
CREATE TABLE sessions (
    id           BLOB    NOT NULL PRIMARY KEY,
    name         TEXT    NOT NULL UNIQUE,
    agent        TEXT    NOT NULL,
    parent       BLOB,
    status       TEXT    NOT NULL,
    last_used_at INTEGER NOT NULL,
    row          TEXT    NOT NULL
) STRICT;

CREATE TABLE messages (
    id      INTEGER PRIMARY KEY,
    session BLOB    NOT NULL,
    alive   INTEGER NOT NULL,
    state   TEXT    NOT NULL,
    row     TEXT    NOT NULL
) STRICT;
CREATE INDEX messages_of_session ON messages (session);
CREATE INDEX messages_alive ON messages (session) WHERE alive = 1;

CREATE TABLE turns (
    session BLOB    NOT NULL,
    number  INTEGER NOT NULL,
    row     TEXT    NOT NULL,
    PRIMARY KEY (session, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE requests (
    id      INTEGER PRIMARY KEY,
    session BLOB    NOT NULL,
    open    INTEGER NOT NULL,
    row     TEXT    NOT NULL
) STRICT;
CREATE INDEX requests_of_session ON requests (session);
CREATE INDEX requests_open ON requests (session) WHERE open = 1;

-- Texts are kept beside the log and not in it: they are large, and nothing is folded from them.
CREATE TABLE message_texts (
    message INTEGER PRIMARY KEY,
    body    TEXT NOT NULL
) STRICT;

CREATE TABLE answers (
    id      INTEGER PRIMARY KEY,
    session BLOB    NOT NULL,
    turn    INTEGER NOT NULL,
    body    TEXT    NOT NULL,
    UNIQUE (session, turn)
) STRICT;

-- Sessions that are forgotten and whose rows are being removed in pieces.
CREATE TABLE purging (
    session BLOB NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- What the beginning of the log came to before it was dropped: for each session its record, how many of its events are gone
-- and the place of the last of them, and beside it every message, turn and request that the log no longer tells.
CREATE TABLE checkpoints (
    session BLOB    NOT NULL PRIMARY KEY,
    dropped INTEGER NOT NULL,
    through INTEGER NOT NULL,
    row     TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpointed (
    session BLOB    NOT NULL,
    kind    TEXT    NOT NULL,
    id      INTEGER NOT NULL,
    row     TEXT    NOT NULL,
    PRIMARY KEY (session, kind, id)
) STRICT, WITHOUT ROWID;

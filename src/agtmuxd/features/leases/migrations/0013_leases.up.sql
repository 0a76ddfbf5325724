-- Leases on paths of a repository, and on names. Fences only grow. They begin at the time in seconds, so that those of a
-- new database are above those of a lost one.
CREATE TABLE fence_seq (
  id   INTEGER PRIMARY KEY CHECK (id = 1),
  last INTEGER NOT NULL
) STRICT;

INSERT INTO fence_seq VALUES (1, CAST(strftime('%s', 'now') AS INTEGER));

CREATE TRIGGER fence_seq_grows BEFORE UPDATE ON fence_seq WHEN new.last <= old.last BEGIN
  SELECT RAISE(ABORT, 'a fence never goes back');
END;

CREATE TRIGGER fence_seq_stays BEFORE DELETE ON fence_seq BEGIN
  SELECT RAISE(ABORT, 'a fence never goes back');
END;

CREATE TABLE lease_scopes (
  scope_id    TEXT PRIMARY KEY,                      -- the repository, or 'name:' and the name in lower case
  kind        TEXT NOT NULL CHECK (kind IN ('path', 'name')),
  name        TEXT NOT NULL,                         -- the name as first given, or the repository's git folder
  ignore_case INTEGER NOT NULL DEFAULT 0,            -- the repository's files have one name in any case
  capacity    INTEGER NOT NULL DEFAULT 1 CHECK (capacity BETWEEN 1 AND 1000)
) STRICT;

CREATE TABLE leases (
  lease_id    TEXT PRIMARY KEY,
  scope_id    TEXT NOT NULL REFERENCES lease_scopes (scope_id),
  pattern     TEXT,                                  -- of a path lease
  mode        TEXT NOT NULL CHECK (mode IN ('exclusive', 'shared')),
  advisory    INTEGER NOT NULL DEFAULT 0,            -- it refuses nobody
  holder      TEXT NOT NULL,                         -- the agent's id, or who else holds it: 'person', 'device:phone'
  holder_label TEXT NOT NULL,
  agent_id    TEXT,
  runtime_id  TEXT,
  fence       INTEGER NOT NULL UNIQUE,
  ttl         INTEGER NOT NULL,
  acquired_at INTEGER NOT NULL,
  renewed_at  INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  hold_until  INTEGER NOT NULL,                      -- the daemon renews up to here
  orphaned_at INTEGER,
  ended_at    INTEGER,
  state       TEXT NOT NULL CHECK (state IN ('active', 'orphaned', 'released', 'expired', 'taken')),
  end_reason  TEXT,
  reason      TEXT,                                  -- what the holder wants it for
  CHECK ((ended_at IS NULL) = (state IN ('active', 'orphaned')))
) STRICT;

CREATE INDEX leases_open ON leases (scope_id) WHERE ended_at IS NULL;
CREATE INDEX leases_ended ON leases (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE lease_requests (                        -- answers of requests that succeeded, to give them again
  holder      TEXT NOT NULL,
  request_ref TEXT NOT NULL,
  digest      TEXT NOT NULL,
  answer_json TEXT NOT NULL,
  made_at     INTEGER NOT NULL,
  PRIMARY KEY (holder, request_ref)
) STRICT, WITHOUT ROWID;

CREATE INDEX lease_requests_old ON lease_requests (made_at);

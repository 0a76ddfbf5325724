-- The browsers that were linked with the web page, and whether its server is on. Of a token only the digest is kept.
CREATE TABLE web_devices (
  device_id    TEXT PRIMARY KEY,
  name         TEXT NOT NULL UNIQUE,
  scope        TEXT NOT NULL CHECK (scope IN ('observe', 'act', 'all')),
  token_digest TEXT NOT NULL UNIQUE,
  created_at   INTEGER NOT NULL,
  seen_at      INTEGER
) STRICT;

CREATE TABLE web_server (
  one     INTEGER PRIMARY KEY CHECK (one = 1),
  enabled INTEGER NOT NULL DEFAULT 0 CHECK (enabled IN (0, 1)),
  port    INTEGER  -- the last port; a browser keeps its token for this port only
) STRICT;
INSERT INTO web_server (one) VALUES (1);

-- Signals on topics. The sequence orders them; numbers are never used again.
CREATE TABLE signals (
  seq             INTEGER PRIMARY KEY AUTOINCREMENT,
  signal_id       TEXT NOT NULL UNIQUE,
  topic           TEXT NOT NULL,
  sender_agent_id TEXT,                              -- NULL: a person
  sender_label    TEXT NOT NULL,
  payload_json    TEXT,                              -- without secrets
  payload_bytes   INTEGER NOT NULL,                  -- as it was sent
  request_ref     TEXT NOT NULL,
  request_digest  TEXT NOT NULL,
  created_at      INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX signals_once ON signals (ifnull(sender_agent_id, ''), request_ref);
CREATE INDEX signals_by_topic ON signals (topic, seq);

CREATE TABLE signal_gaps (                           -- up to where the signals of a topic were deleted
  topic TEXT PRIMARY KEY,
  seq   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE cursors (                               -- how far each consumer has read
  consumer   TEXT NOT NULL,
  stream     TEXT NOT NULL,
  seq        INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (consumer, stream)
) STRICT, WITHOUT ROWID;

-- Waits and their results. They go on when the daemon or the one who waits starts again.
CREATE TABLE waits (
  wait_id         TEXT PRIMARY KEY,
  owner_agent_id  TEXT,                              -- NULL: a person
  owner_label     TEXT NOT NULL,
  mode            TEXT NOT NULL CHECK (mode IN ('any', 'all', 'at_least')),
  needed          INTEGER NOT NULL,                  -- how many conditions have to be met
  conditions_json TEXT NOT NULL,                     -- each with its result
  state           TEXT NOT NULL CHECK (state IN ('open', 'met', 'timeout', 'failed', 'cancelled')),
  deadline        INTEGER NOT NULL,
  request_ref     TEXT NOT NULL,
  request_digest  TEXT NOT NULL,
  created_at      INTEGER NOT NULL,
  ended_at        INTEGER
) STRICT;

CREATE UNIQUE INDEX waits_once ON waits (ifnull(owner_agent_id, ''), request_ref);
CREATE INDEX waits_open ON waits (deadline) WHERE state = 'open';
CREATE INDEX waits_ended ON waits (ended_at) WHERE ended_at IS NOT NULL;

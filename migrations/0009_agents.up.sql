-- Agents by name. A binding says which runtime an agent is now; all earlier ones stay.
CREATE TABLE teams (
  team_id    TEXT PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE COLLATE NOCASE,
  deliver    TEXT NOT NULL DEFAULT 'pull' CHECK (deliver IN ('pane', 'pull')),
  escalate_to TEXT,                            -- an agent of the team; NULL: a person
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE agents (
  agent_id   TEXT PRIMARY KEY,
  team_id    TEXT REFERENCES teams (team_id),
  name       TEXT NOT NULL COLLATE NOCASE,
  automatic  INTEGER NOT NULL DEFAULT 0,       -- the name was given by agtmux
  role       TEXT,
  owner      TEXT,
  tags_json  TEXT NOT NULL DEFAULT '[]',
  scopes_json TEXT NOT NULL DEFAULT '[]',      -- globs of the files that it may change
  deliver    TEXT CHECK (deliver IN ('pane', 'pull')),  -- NULL: as its team
  created_at INTEGER NOT NULL,
  retired_at INTEGER
) STRICT;

CREATE UNIQUE INDEX agents_by_name ON agents (ifnull(team_id, ''), name) WHERE retired_at IS NULL;

CREATE TABLE agent_bindings (
  binding_id TEXT PRIMARY KEY,
  agent_id   TEXT NOT NULL REFERENCES agents (agent_id) ON DELETE CASCADE,
  runtime_id TEXT NOT NULL,                    -- no reference: history may forget the runtime
  epoch      INTEGER NOT NULL,
  bound_at   INTEGER NOT NULL,
  ended_at   INTEGER,
  how        TEXT NOT NULL CHECK (how IN ('auto', 'resume', 'operator', 'take')),
  bound_by   TEXT NOT NULL DEFAULT 'agtmux',
  target_id  TEXT,                             -- these three: of a runtime that ended, to know it again
  agent_type TEXT,
  agent_session_id TEXT,
  UNIQUE (agent_id, epoch)
) STRICT;

CREATE UNIQUE INDEX agent_bindings_agent ON agent_bindings (agent_id) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX agent_bindings_runtime ON agent_bindings (runtime_id) WHERE ended_at IS NULL;

CREATE TABLE agent_numbers (                   -- numbers of automatic names are never used again
  agent_type TEXT PRIMARY KEY,
  next       INTEGER NOT NULL
) STRICT;

CREATE TABLE agent_requests (                  -- changes that people asked for: each is done once
  request_ref TEXT PRIMARY KEY,
  digest     TEXT NOT NULL,
  answer_json TEXT NOT NULL,
  made_at    INTEGER NOT NULL
) STRICT;

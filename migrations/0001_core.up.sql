-- Schema 1: what the daemon knows, and how it came to know it.
-- Times are integer nanoseconds since the epoch, UTC, by the daemon's clock; event_time is the source's.

CREATE TABLE targets (
  target_id      TEXT PRIMARY KEY,
  target_name    TEXT NOT NULL UNIQUE,
  kind           TEXT NOT NULL CHECK (kind IN ('local', 'ssh')),
  connection_ref TEXT,                       -- ssh alias or tmux socket, never a secret
  is_default     INTEGER NOT NULL DEFAULT 0 CHECK (is_default IN (0, 1)),
  health         TEXT NOT NULL DEFAULT 'ok' CHECK (health IN ('ok', 'degraded', 'down')),
  health_since   INTEGER NOT NULL,
  reason         TEXT,
  last_seen_at   INTEGER,
  tmux_version   TEXT,
  options_json   TEXT NOT NULL DEFAULT '{}',
  updated_at     INTEGER NOT NULL
) STRICT;

CREATE TABLE panes (
  target_id           TEXT NOT NULL REFERENCES targets (target_id) ON DELETE CASCADE,
  pane_id             TEXT NOT NULL,
  tmux_server_boot_id TEXT NOT NULL,
  session_id          TEXT NOT NULL,
  session_name        TEXT NOT NULL,
  window_id           TEXT NOT NULL,
  window_index        INTEGER NOT NULL,
  window_name         TEXT NOT NULL,
  pane_index          INTEGER NOT NULL,
  title               TEXT NOT NULL,
  current_command     TEXT NOT NULL,
  current_path        TEXT NOT NULL,
  pane_pid            INTEGER NOT NULL,
  active              INTEGER NOT NULL,
  dead                INTEGER NOT NULL,
  first_seen_at       INTEGER NOT NULL,
  updated_at          INTEGER NOT NULL,
  PRIMARY KEY (target_id, pane_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE runtimes (
  runtime_id          TEXT PRIMARY KEY,
  target_id           TEXT NOT NULL REFERENCES targets (target_id) ON DELETE CASCADE,
  pane_id             TEXT NOT NULL,
  tmux_server_boot_id TEXT NOT NULL,
  pane_epoch          INTEGER NOT NULL,
  agent_type          TEXT NOT NULL,
  agent_version       TEXT,
  agent_session_id    TEXT,
  transcript_path     TEXT,
  pid                 INTEGER,
  process_start       TEXT,                  -- opaque; with pid it names one life of a process
  process_started_at  INTEGER,
  headless            INTEGER NOT NULL DEFAULT 0,
  cwd                 TEXT,
  task                TEXT,
  started_at          INTEGER NOT NULL,
  ended_at            INTEGER,
  end_reason          TEXT,
  UNIQUE (target_id, tmux_server_boot_id, pane_id, pane_epoch)
) STRICT;

CREATE UNIQUE INDEX runtimes_active ON runtimes (target_id, pane_id) WHERE ended_at IS NULL;

CREATE TABLE actions (
  action_id      TEXT PRIMARY KEY,
  action_type    TEXT NOT NULL,
  request_ref    TEXT NOT NULL,
  payload_digest TEXT NOT NULL,
  target_id      TEXT,
  pane_id        TEXT,
  runtime_id     TEXT,
  requested_at   INTEGER NOT NULL,
  started_at     INTEGER,
  completed_at   INTEGER,
  result_code    TEXT CHECK (result_code IN ('done', 'refused', 'failed', 'indeterminate')),
  error_code     TEXT,
  metadata_json  TEXT NOT NULL DEFAULT '{}'
) STRICT;

CREATE UNIQUE INDEX actions_request ON actions (action_type, request_ref);

CREATE TABLE action_snapshots (
  snapshot_id   TEXT PRIMARY KEY,
  action_id     TEXT NOT NULL REFERENCES actions (action_id) ON DELETE CASCADE,
  target_id     TEXT NOT NULL,
  pane_id       TEXT NOT NULL,
  runtime_id    TEXT,
  state_version INTEGER,
  observed_at   INTEGER NOT NULL,
  expires_at    INTEGER NOT NULL,
  nonce         TEXT NOT NULL
) STRICT;

CREATE TABLE events (
  event_id        TEXT PRIMARY KEY,
  runtime_id      TEXT NOT NULL REFERENCES runtimes (runtime_id) ON DELETE CASCADE,
  event_type      TEXT NOT NULL,
  source          TEXT NOT NULL,
  source_event_id TEXT,
  source_seq      INTEGER,
  event_time      INTEGER NOT NULL,
  ingested_at     INTEGER NOT NULL,
  dedupe_key      TEXT NOT NULL CHECK (dedupe_key <> ''),
  applied         TEXT NOT NULL CHECK (applied IN ('applied', 'late', 'stale_runtime')),
  action_id       TEXT REFERENCES actions (action_id) ON DELETE SET NULL,
  raw_payload     TEXT,
  UNIQUE (runtime_id, source, dedupe_key)
) STRICT;

CREATE INDEX events_by_runtime ON events (runtime_id, source, ingested_at DESC);
CREATE INDEX events_by_time ON events (ingested_at DESC);
CREATE INDEX events_by_action ON events (action_id) WHERE action_id IS NOT NULL;

CREATE TABLE event_inbox (
  inbox_id     INTEGER PRIMARY KEY,
  target_id    TEXT NOT NULL,                -- '' while the event names no target
  pane_id      TEXT,
  runtime_id   TEXT,
  session_key  TEXT,
  event_id     TEXT NOT NULL,
  event_type   TEXT NOT NULL,
  source       TEXT NOT NULL,
  dedupe_key   TEXT NOT NULL CHECK (dedupe_key <> ''),
  event_time   INTEGER NOT NULL,
  ingested_at  INTEGER NOT NULL,
  pid          INTEGER,
  start_hint   INTEGER,
  status       TEXT NOT NULL CHECK (status IN ('pending_bind', 'bound', 'dropped_unbound')),
  reason_code  TEXT,
  envelope     TEXT,                         -- the redacted envelope: what a restart needs to bind it
  raw_payload  TEXT
) STRICT;

CREATE UNIQUE INDEX event_inbox_once ON event_inbox (target_id, ifnull(pane_id, ''), source, dedupe_key);
CREATE INDEX event_inbox_by_status ON event_inbox (status, ingested_at);

CREATE TABLE runtime_source_cursors (
  runtime_id             TEXT NOT NULL REFERENCES runtimes (runtime_id) ON DELETE CASCADE,
  source                 TEXT NOT NULL,
  subject                TEXT NOT NULL DEFAULT 'turn',
  last_source_seq        INTEGER,
  last_order_event_time  INTEGER NOT NULL,
  last_order_ingested_at INTEGER NOT NULL,
  last_order_event_id    TEXT NOT NULL,
  PRIMARY KEY (runtime_id, source, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE candidates (
  runtime_id    TEXT NOT NULL REFERENCES runtimes (runtime_id) ON DELETE CASCADE,
  source        TEXT NOT NULL,
  subject       TEXT NOT NULL,
  reason_code   TEXT NOT NULL,               -- the rule or hook that spoke
  claim         TEXT,                        -- NULL: withdrawn
  strength      TEXT NOT NULL CHECK (strength IN ('definitive', 'hint')),
  since         INTEGER NOT NULL,
  last_seen     INTEGER NOT NULL,
  fresh_until   INTEGER,
  retired_at    INTEGER,
  evidence_json TEXT NOT NULL,
  PRIMARY KEY (runtime_id, source, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE retirement_marks (
  runtime_id TEXT NOT NULL REFERENCES runtimes (runtime_id) ON DELETE CASCADE,
  mark       TEXT NOT NULL,
  at         INTEGER NOT NULL,
  PRIMARY KEY (runtime_id, mark)
) STRICT, WITHOUT ROWID;

CREATE TABLE states (
  target_id        TEXT NOT NULL REFERENCES targets (target_id) ON DELETE CASCADE,
  pane_id          TEXT NOT NULL,
  runtime_id       TEXT NOT NULL REFERENCES runtimes (runtime_id) ON DELETE CASCADE,
  state            TEXT NOT NULL,
  reason_code      TEXT,
  confidence       TEXT NOT NULL CHECK (confidence IN ('high', 'medium', 'low')),
  state_version    INTEGER NOT NULL,
  since            INTEGER NOT NULL,
  decided_by_json  TEXT NOT NULL DEFAULT '{}',
  waiting_for_json TEXT,
  accepts_input    INTEGER,
  background_tasks INTEGER,
  last_known_json  TEXT,
  attention        TEXT NOT NULL DEFAULT 'none' CHECK (attention IN ('needs_action', 'review', 'none')),
  attention_since  INTEGER,
  last_source_seq  INTEGER,
  last_seen_at     INTEGER NOT NULL,
  updated_at       INTEGER NOT NULL,
  PRIMARY KEY (target_id, pane_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX states_by_update ON states (updated_at DESC);
CREATE INDEX states_by_state ON states (state, updated_at DESC);

CREATE TABLE adapters (
  adapter_name      TEXT PRIMARY KEY,
  agent_type        TEXT NOT NULL,
  version           TEXT NOT NULL,
  contract_version  TEXT NOT NULL,
  capabilities_json TEXT NOT NULL,
  enabled           INTEGER NOT NULL DEFAULT 1,
  updated_at        INTEGER NOT NULL
) STRICT;

CREATE TABLE stream (
  one           INTEGER PRIMARY KEY CHECK (one = 1),
  stream_id     TEXT NOT NULL,
  next_sequence INTEGER NOT NULL,
  created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE stream_log (
  stream_id    TEXT NOT NULL,
  sequence     INTEGER NOT NULL,
  scope        TEXT NOT NULL CHECK (scope IN ('panes', 'windows', 'sessions')),
  changes_json TEXT NOT NULL,
  committed_at INTEGER NOT NULL,
  PRIMARY KEY (stream_id, sequence, scope)
) STRICT, WITHOUT ROWID;

CREATE INDEX stream_log_by_time ON stream_log (committed_at);

CREATE TABLE published (                     -- the rows that watchers have been told, so that a restart tells no lies
  item_key  TEXT PRIMARY KEY,                -- pane items only; windows and sessions follow from them
  item_json TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE spool_offsets (
  target_id  TEXT NOT NULL,
  spool_file TEXT NOT NULL,
  offset     INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (target_id, spool_file)
) STRICT, WITHOUT ROWID;

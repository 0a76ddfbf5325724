-- Notifications: what there was to tell, who heard of it, and the messages that are not delivered yet.
CREATE TABLE notify_episodes (
  episode_id   TEXT PRIMARY KEY,
  kind         TEXT NOT NULL,
  runtime_id   TEXT NOT NULL,
  pane_key     TEXT NOT NULL,
  opened_at    INTEGER NOT NULL,
  turn         INTEGER,                          -- how long the completed turn took, in ns
  seen_at      INTEGER,
  closed_at    INTEGER,
  close_reason TEXT,
  sign_json    TEXT NOT NULL,
  subject_json TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX notify_episodes_open ON notify_episodes (pane_key, runtime_id, kind) WHERE closed_at IS NULL;
CREATE INDEX notify_episodes_by_pane ON notify_episodes (pane_key, opened_at DESC);
CREATE INDEX notify_episodes_closed ON notify_episodes (closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE notify_messages (
  message_id   TEXT PRIMARY KEY,
  channel      TEXT NOT NULL,
  made_at      INTEGER NOT NULL,
  state        TEXT NOT NULL CHECK (state IN ('sending', 'retry', 'sent', 'unknown', 'dead', 'dropped')),
  attempts     INTEGER NOT NULL,
  next_at      INTEGER,                          -- when to try again
  ended_at     INTEGER,
  last_error   TEXT,
  handle       TEXT,                             -- by which the channel takes the message back
  retract      TEXT CHECK (retract IN ('due', 'done')),
  payload_json TEXT NOT NULL
) STRICT;
CREATE INDEX notify_messages_open ON notify_messages (channel, next_at) WHERE state IN ('sending', 'retry');
CREATE INDEX notify_messages_back ON notify_messages (made_at) WHERE retract = 'due';
CREATE INDEX notify_messages_dead ON notify_messages (made_at) WHERE state = 'dead';
CREATE INDEX notify_messages_ended ON notify_messages (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE notify_deliveries (
  episode_id TEXT NOT NULL REFERENCES notify_episodes (episode_id) ON DELETE CASCADE,
  channel    TEXT NOT NULL,
  part       TEXT NOT NULL CHECK (part IN ('first', 'remind')),
  state      TEXT NOT NULL CHECK (state IN ('sending', 'sent', 'skipped', 'dead', 'unknown')),
  at         INTEGER NOT NULL,
  rule       INTEGER,
  reason     TEXT,
  message_id TEXT,
  PRIMARY KEY (episode_id, channel, part)
) STRICT, WITHOUT ROWID;
CREATE INDEX notify_deliveries_by_message ON notify_deliveries (message_id) WHERE message_id IS NOT NULL;

CREATE TABLE notify_turns (
  runtime_id TEXT PRIMARY KEY,
  started_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE notify_mutes (
  scope    TEXT PRIMARY KEY,                     -- '' for everything, else a pane of one life of a tmux server
  pane_key TEXT,
  until    INTEGER NOT NULL,
  made_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE notify_channels (
  channel      TEXT PRIMARY KEY,
  last_success INTEGER,
  last_failure INTEGER,
  last_error   TEXT,
  failures     INTEGER NOT NULL DEFAULT 0,       -- in a row
  disabled     TEXT                              -- why nothing is sent on it any more
) STRICT, WITHOUT ROWID;

CREATE TABLE notify_codes (
  code_hash   TEXT PRIMARY KEY,
  message_id  TEXT NOT NULL,
  runtime_id  TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  expires_at  INTEGER NOT NULL,
  used_at     INTEGER
) STRICT, WITHOUT ROWID;

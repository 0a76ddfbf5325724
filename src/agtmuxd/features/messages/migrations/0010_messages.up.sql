-- Messages to agents, and one delivery for each recipient. The sequence orders them; ids are never used again.
CREATE TABLE channels (
  channel_id TEXT PRIMARY KEY,
  team_id    TEXT,
  name       TEXT NOT NULL COLLATE NOCASE,
  created_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX channels_by_name ON channels (ifnull(team_id, ''), name);

CREATE TABLE channel_members (
  channel_id TEXT NOT NULL REFERENCES channels (channel_id) ON DELETE CASCADE,
  agent_id   TEXT NOT NULL,
  notify     TEXT NOT NULL DEFAULT 'pull' CHECK (notify IN ('pane', 'pull', 'none')),
  joined_at  INTEGER NOT NULL,
  PRIMARY KEY (channel_id, agent_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE messages (
  seq             INTEGER PRIMARY KEY AUTOINCREMENT,
  message_id      TEXT NOT NULL UNIQUE,
  origin_node     TEXT NOT NULL DEFAULT '',          -- the daemon that took it in; '' is this one
  origin_seq      INTEGER,
  sender_agent_id TEXT,                              -- NULL: a person
  sender_label    TEXT NOT NULL,
  kind            TEXT NOT NULL CHECK (kind IN ('note', 'task', 'result', 'question', 'answer', 'blocker',
                    'review_request', 'review_result', 'status', 'plan', 'prompt')),
  priority        TEXT NOT NULL DEFAULT 'normal' CHECK (priority IN ('urgent', 'normal', 'low')),
  subject         TEXT NOT NULL DEFAULT '',
  body            TEXT NOT NULL,
  body_sha256     TEXT NOT NULL,
  parent_id       TEXT REFERENCES messages (message_id),
  thread_id       TEXT NOT NULL,                     -- the id of the first message of the thread
  channel_id      TEXT REFERENCES channels (channel_id),
  refs_json       TEXT NOT NULL DEFAULT '[]',
  depends_on_json TEXT NOT NULL DEFAULT '[]',        -- of a task: messages whose results it needs
  reply_by        INTEGER,
  overdue_at      INTEGER,                           -- when somebody was told that no answer came in time
  expires_at      INTEGER,
  hop             INTEGER NOT NULL DEFAULT 0,        -- how many replies of agents led here
  request_ref     TEXT NOT NULL,
  request_digest  TEXT NOT NULL,
  created_at      INTEGER NOT NULL,
  cancelled_at    INTEGER,
  UNIQUE (origin_node, origin_seq)
) STRICT;

CREATE UNIQUE INDEX messages_once ON messages (ifnull(sender_agent_id, ''), request_ref);
CREATE INDEX messages_by_thread ON messages (thread_id, seq);
CREATE INDEX messages_by_sender ON messages (sender_agent_id, seq);
CREATE INDEX messages_by_channel ON messages (channel_id, seq) WHERE channel_id IS NOT NULL;
CREATE INDEX messages_by_parent ON messages (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX messages_by_expiry ON messages (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX messages_due ON messages (reply_by) WHERE reply_by IS NOT NULL AND overdue_at IS NULL;

CREATE TABLE deliveries (
  delivery_id TEXT PRIMARY KEY,
  message_id  TEXT NOT NULL REFERENCES messages (message_id) ON DELETE CASCADE,
  agent_id    TEXT NOT NULL,                         -- '' for people
  state       TEXT NOT NULL CHECK (state IN ('queued', 'held', 'claimed', 'submitted', 'submitted_unconfirmed',
                'delivered', 'read', 'acked', 'expired', 'cancelled', 'dead')),
  hold_reason TEXT,                                  -- why it was not typed yet
  route       TEXT NOT NULL CHECK (route IN ('pane', 'pull', 'hook')),
  position    REAL NOT NULL,                         -- order in the agent's queue; a person may move it
  attempts    INTEGER NOT NULL DEFAULT 0,
  next_try_at INTEGER,
  runtime_id  TEXT,                                  -- whom it was typed to
  claimed_at  INTEGER,
  action_ref  TEXT,                                  -- request_ref of the action that typed it: one for each attempt
  submitted_at INTEGER,
  delivered_at INTEGER,
  evidence    TEXT,                                  -- what showed that it was delivered
  read_at     INTEGER,
  acked_at    INTEGER,
  error_code  TEXT,
  updated_at  INTEGER NOT NULL,
  UNIQUE (message_id, agent_id)
) STRICT;

CREATE INDEX deliveries_open ON deliveries (agent_id, position)
  WHERE state IN ('queued', 'held', 'claimed', 'submitted', 'submitted_unconfirmed');
CREATE INDEX deliveries_by_agent ON deliveries (agent_id, state);

CREATE TABLE reactions (
  message_id TEXT NOT NULL REFERENCES messages (message_id) ON DELETE CASCADE,
  agent_id   TEXT NOT NULL,                          -- '' for a person
  reaction   TEXT NOT NULL,
  made_at    INTEGER NOT NULL,
  PRIMARY KEY (message_id, agent_id, reaction)
) STRICT, WITHOUT ROWID;

CREATE VIRTUAL TABLE messages_fts USING fts5 (subject, body, content = 'messages', content_rowid = 'seq');
CREATE TRIGGER messages_fts_add AFTER INSERT ON messages BEGIN
  INSERT INTO messages_fts (rowid, subject, body) VALUES (new.seq, new.subject, new.body);
END;
CREATE TRIGGER messages_fts_change AFTER UPDATE OF subject, body ON messages BEGIN
  INSERT INTO messages_fts (messages_fts, rowid, subject, body) VALUES ('delete', old.seq, old.subject, old.body);
  INSERT INTO messages_fts (rowid, subject, body) VALUES (new.seq, new.subject, new.body);
END;
CREATE TRIGGER messages_fts_delete AFTER DELETE ON messages BEGIN
  INSERT INTO messages_fts (messages_fts, rowid, subject, body) VALUES ('delete', old.seq, old.subject, old.body);
END;

CREATE TABLE message_requests (                      -- writes that were done: the same request is not done again
  agent_id    TEXT NOT NULL,                         -- who asked; '' for a person
  request_ref TEXT NOT NULL,
  digest      TEXT NOT NULL,
  result_id   TEXT NOT NULL,                         -- the message, delivery or channel that it was about
  made_at     INTEGER NOT NULL,
  PRIMARY KEY (agent_id, request_ref)
) STRICT, WITHOUT ROWID;

CREATE INDEX message_requests_by_age ON message_requests (made_at);

CREATE TABLE mailbox (                               -- one row: what cursors of messages are checked against
  only_row   INTEGER PRIMARY KEY CHECK (only_row = 1),
  epoch      TEXT NOT NULL,                          -- new for each database
  purged_seq INTEGER NOT NULL                        -- the newest message that retention deleted
) STRICT;

INSERT INTO mailbox VALUES (1, lower(hex(randomblob(4))), 0);

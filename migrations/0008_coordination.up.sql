-- Changes of coordination (agents, messages, leases, ...) in the stream. Each batch also has a row of the scope "panes" in
-- stream_log, so both logs reach back equally far.
CREATE TABLE coord_log (
  stream_id    TEXT NOT NULL,
  sequence     INTEGER NOT NULL,
  scope        TEXT NOT NULL DEFAULT 'panes' CHECK (scope = 'panes'),
  changes_json TEXT NOT NULL,
  committed_at INTEGER NOT NULL,
  PRIMARY KEY (stream_id, sequence),
  FOREIGN KEY (stream_id, sequence, scope) REFERENCES stream_log (stream_id, sequence, scope) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Where each runtime was last seen, and whether somebody has started to restore it.
CREATE TABLE restore_places (
  runtime_id   TEXT PRIMARY KEY REFERENCES runtimes (runtime_id) ON DELETE CASCADE,
  session_name TEXT NOT NULL,
  window_index INTEGER NOT NULL,
  window_name  TEXT NOT NULL,
  pane_index   INTEGER NOT NULL,
  claimed_at   INTEGER
) STRICT, WITHOUT ROWID;

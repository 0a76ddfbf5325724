-- What features add to the row of a pane while its runtime lives, e.g. that it is stuck.
CREATE TABLE annotations (
  runtime_id TEXT NOT NULL REFERENCES runtimes (runtime_id) ON DELETE CASCADE,
  name       TEXT NOT NULL,
  value_json TEXT NOT NULL,
  PRIMARY KEY (runtime_id, name)
) STRICT, WITHOUT ROWID;

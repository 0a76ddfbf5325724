-- What the store knows of itself, numbers of panes that outlive their runtimes, targets that are being forgotten, and
-- indexes without which a removal or a listing reads a whole table.
CREATE TABLE upkeep (
  one           INTEGER PRIMARY KEY CHECK (one = 1),
  closed        INTEGER NOT NULL DEFAULT 0 CHECK (closed IN (0, 1)),  -- 1: the last daemon ended in order
  checked       INTEGER NOT NULL DEFAULT 0 CHECK (checked IN (0, 1)), -- 0: an integrity check is due
  machine_start TEXT,                          -- names the start of the machine at which it was last opened
  probes        INTEGER NOT NULL DEFAULT 0,    -- grows with each write that is to prove that there is room
  forget_at     INTEGER,                       -- the time that retention goes by; NULL until it first ran
  forget_waited INTEGER NOT NULL DEFAULT 0,    -- for how long (ns) a jump of the system's clock has been seen
  emptied_until INTEGER NOT NULL DEFAULT 0     -- events that came in before this have no payload any more
) STRICT;
INSERT INTO upkeep (one) VALUES (1);

-- Without this a pane whose last runtime was forgotten would count its states from 1 again. It outlives its target.
CREATE TABLE pane_numbers (
  target_id     TEXT NOT NULL,
  pane_id       TEXT NOT NULL,
  pane_epoch    INTEGER NOT NULL,
  state_version INTEGER NOT NULL,
  PRIMARY KEY (target_id, pane_id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER runtimes_numbers BEFORE DELETE ON runtimes WHEN OLD.target_id NOT LIKE 'removed:%' BEGIN
  INSERT INTO pane_numbers VALUES (OLD.target_id, OLD.pane_id, OLD.pane_epoch, ifnull(OLD.last_state_version, 0))
    ON CONFLICT (target_id, pane_id) DO UPDATE SET pane_epoch = max(pane_epoch, excluded.pane_epoch),
      state_version = max(state_version, excluded.state_version);
END;

-- A target that was removed leaves its runtimes to a row of its own, 'removed:…', until their events are gone.
ALTER TABLE targets ADD COLUMN removed_at INTEGER;

CREATE INDEX actions_open ON actions (action_id) WHERE result_code IS NULL;
CREATE INDEX actions_by_time ON actions (requested_at DESC, action_id DESC);
CREATE INDEX actions_by_pane ON actions (target_id, pane_id, requested_at DESC, action_id DESC);
CREATE INDEX action_snapshots_by_action ON action_snapshots (action_id);

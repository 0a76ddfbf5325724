DROP INDEX action_snapshots_by_action;
DROP INDEX actions_by_pane;
DROP INDEX actions_by_time;
DROP INDEX actions_open;
DELETE FROM targets WHERE removed_at IS NOT NULL;  -- with what is left of their history
ALTER TABLE targets DROP COLUMN removed_at;
DROP TRIGGER runtimes_numbers;
DROP TABLE pane_numbers;
DROP TABLE upkeep;

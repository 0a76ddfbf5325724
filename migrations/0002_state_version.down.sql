ALTER TABLE runtimes DROP COLUMN last_state_version;

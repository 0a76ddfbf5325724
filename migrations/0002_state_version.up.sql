-- What the state of a runtime was numbered last. The next runtime of its pane counts on from there, so that a number that
-- a caller saw never stands for another agent's state.
ALTER TABLE runtimes ADD COLUMN last_state_version INTEGER;

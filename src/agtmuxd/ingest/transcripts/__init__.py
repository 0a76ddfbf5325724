"""Session files that agents write: found, followed, turned into events."""

"""Find and follow the session files that agents write, and turn their lines into events."""

"""Define the commands, one noun per file. Knows click; owns no state."""

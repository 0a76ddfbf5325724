"""Define what the CLI and the daemon must agree on. Standard library only; imports nothing of either."""

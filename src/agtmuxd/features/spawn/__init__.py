"""Check whether a new agent may be started on a target, before the command line starts it."""

"""Keep the records of agents' worktrees, and find files that two agents changed. Runs no git that writes."""

"""Read and change git repositories for worktrees, and never lose what is only there."""

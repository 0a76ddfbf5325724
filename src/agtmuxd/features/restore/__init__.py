"""Plan how agents come back after their tmux server is gone: each in its place, with its own session."""

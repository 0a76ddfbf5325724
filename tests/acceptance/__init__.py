"""Real processes: the daemon, the command line, tmux, and a stand-in for an agent."""

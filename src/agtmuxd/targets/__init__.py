"""Where panes live: executors that run programs on a machine, and the observer that watches one target."""

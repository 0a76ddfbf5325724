"""Let agents and people wait for conditions, across restarts of the daemon and of the client."""

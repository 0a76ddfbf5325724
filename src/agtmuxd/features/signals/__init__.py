"""Let agents and people send signals on topics, and read them in order."""

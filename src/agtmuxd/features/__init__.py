"""Features: optional parts of the daemon, one folder each. ``contract`` defines what a feature is and may use."""

"""Features: what stands on top of the daemon, one folder each. ``contract`` says what a feature is and may use."""

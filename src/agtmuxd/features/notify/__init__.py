"""Tell people that an agent needs them: once, on the channels they chose, when they may be disturbed."""

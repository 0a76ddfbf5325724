"""Draw attention to an agent that runs but makes no progress. Adds the field ``stuck`` to its row."""

"""Add, remove and find our hooks in the settings files of agents."""

"""Hooks in the settings files of agents: merged in, taken out, looked up."""

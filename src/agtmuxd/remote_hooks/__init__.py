"""Hooks on machines behind ssh: the program there, the way back from there, the spool there, settings there."""

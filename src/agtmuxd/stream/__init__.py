"""Publish rows of panes, windows and sessions, and send their changes to watchers."""

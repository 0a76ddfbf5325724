"""Cursor's CLI."""

"""Hooks in agents' settings: where they are installed and whether they report."""

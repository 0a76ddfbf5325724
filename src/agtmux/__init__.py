"""Show what every coding agent in tmux is doing, and which one needs you."""

__version__ = "0.1.0"

"""Plays recorded agents in tmux panes, and scores what a watcher said of them. The format: tests/corpus/FORMAT.md."""

"""What is published: rows of panes, and the hub that hands changes to watchers."""

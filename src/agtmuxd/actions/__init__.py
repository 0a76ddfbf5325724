"""The one door out: everything that the daemon does to a pane passes here, once, or not at all."""

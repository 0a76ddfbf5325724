"""Act on panes. All actions pass through here, and each is done once or not at all."""

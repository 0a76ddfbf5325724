"""What the daemon does for its clients, by resource."""

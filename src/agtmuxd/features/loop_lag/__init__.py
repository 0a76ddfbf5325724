"""How late the daemon's event loop is, for the health of the daemon."""

"""Know agents by name: who they are, which runtime each one is now, and which agent sends a request."""

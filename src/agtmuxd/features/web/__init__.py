"""Serve the web page on the loopback interface: its files, and the routes that a linked device may call."""

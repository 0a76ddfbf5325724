"""Targets behind a real OpenSSH server on loopback."""

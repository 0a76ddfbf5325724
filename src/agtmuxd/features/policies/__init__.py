"""List the rules of the configuration, and tell what they decide."""

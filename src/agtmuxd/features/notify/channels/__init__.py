"""The ways in which people are told, one module for each kind of channel."""

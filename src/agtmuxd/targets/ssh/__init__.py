"""A machine behind ssh as a target."""

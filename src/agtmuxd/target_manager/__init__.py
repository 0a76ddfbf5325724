"""The targets: add and remove them, watch each one, and report on them in the API."""

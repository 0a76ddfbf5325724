"""Serve agents by name and teams. Used by ``agtmux agent``, ``agtmux team``, ``agtmux whoami``."""

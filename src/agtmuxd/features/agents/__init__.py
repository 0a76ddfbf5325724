"""Serve agents by name and teams. Used by ``agtmux agents``, ``agtmux agent``, ``agtmux team`` and ``agtmux whoami``."""

"""Programs started by ``agtmux run``."""

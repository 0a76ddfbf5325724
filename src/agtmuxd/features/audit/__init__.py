"""The audit: what was asked for, who asked, and the result. Listed by ``agtmux actions``."""

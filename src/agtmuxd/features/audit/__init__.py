"""List the audit: which actions were requested, by whom, and their results. Used by ``agtmux actions``."""

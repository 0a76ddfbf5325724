"""The terminal dashboard (``agtmux top``): the only package that imports textual."""

"""Check everything around agtmux that can be wrong. Each check is one function; ``checks.py`` lists them."""

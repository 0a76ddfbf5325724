"""Tell what happened while you were away, from the stream log. Used by ``agtmux recap``."""

"""Makes pictures of what agtmux prints: one module for each, all from the real program. Nothing is drawn by hand."""

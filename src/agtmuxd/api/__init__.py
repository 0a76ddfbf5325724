"""HTTP over the Unix socket: one route table, request models, one error middleware."""

"""Serve HTTP on the Unix socket: route tables by resource, request models, one error middleware."""

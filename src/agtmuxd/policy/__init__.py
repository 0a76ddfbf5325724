"""Decide who may do what in coordination: rules of the configuration, then a default for each verb."""

"""Decide without side effects: no await, no clock, no file, no log. Time is an argument."""

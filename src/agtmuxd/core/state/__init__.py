"""Decide states: claims in registers, what retires them, and the state that follows. Pure."""

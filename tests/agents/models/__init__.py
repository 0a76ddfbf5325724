"""Fake model services on 127.0.0.1, one per wire format, scripted by keywords in the typed prompt."""

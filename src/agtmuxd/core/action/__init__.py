"""Define what an action request is, and decide whether it may be carried out. Pure."""

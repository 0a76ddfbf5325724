"""What an action request is, and whether it may be carried out. Pure."""

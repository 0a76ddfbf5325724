"""Send messages to agents and people, keep them, and deliver them when the recipient can take them."""

"""Turn events, observations and the passing of time into registers, states and published changes."""

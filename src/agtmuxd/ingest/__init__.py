"""The one door in: events, observations and the passing of time become registers, states and published changes."""

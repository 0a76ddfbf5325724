"""The targets: which there are, the watch over each, and how each is told of."""

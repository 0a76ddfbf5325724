"""Define the shapes of answers, one file per resource."""

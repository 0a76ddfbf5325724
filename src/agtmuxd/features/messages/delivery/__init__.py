"""Type waiting messages into the panes of their recipients: only where nothing else can be hit, and never twice."""

"""agtmuxd: the daemon that keeps the one true state of every supervised pane."""

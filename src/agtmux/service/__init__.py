"""Run the daemon as a service of the user: systemd user units on Linux, a launchd agent on macOS."""

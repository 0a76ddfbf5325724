"""Hooks on machines behind ssh: the hook program, the reverse socket, the spool and the agents' settings there."""

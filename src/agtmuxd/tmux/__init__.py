"""Build tmux commands and parse tmux output, as pure text: quoting, rounds, replies, rows. Starts no process."""

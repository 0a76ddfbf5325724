"""Pure text of tmux: quoting, command rounds, reply splitting, row parsing. Starts no process."""

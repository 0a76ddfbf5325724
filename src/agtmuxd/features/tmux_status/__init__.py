"""Show counts of agents in the status lines of tmux servers whose users want it, and to ``agtmux status``."""

#!/bin/sh
# Sets up agtmux in this tmux server. The tmux plugin manager (TPM) runs this file.
wanted=$(tmux show-option -gqv @agtmux-command)
for each in "$wanted" agtmux "${PIPX_BIN_DIR:-$HOME/.local/bin}/agtmux" "${UV_TOOL_BIN_DIR:-$HOME/.local/bin}/agtmux" \
  /opt/homebrew/bin/agtmux /usr/local/bin/agtmux; do
  found=$(command -v -- "$each") && [ -x "$found" ] && exec "$found" tmux load
done
tmux display-message -d 8000 'agtmux is not installed: run pipx install agtmux, then reload your tmux.conf'

#!/usr/bin/env bash
# Runs the tests that start tmux on several versions of it, one after the other; what `make tmux-matrix` does.
#
#   scripts/tmux-matrix.sh VERSION...
#
# Prints one line a version: what pytest counted, or why that version cannot be had. What failed is listed below its line,
# and the whole output stays in .cache/tmux/matrix-VERSION.log. Further arguments of pytest: PYTEST_ARGS. Ends with 1 if a
# test failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p .cache/tmux
status=0
for version in "$@"; do
  log=.cache/tmux/matrix-$version.log
  if ! folder=$(scripts/setup.sh tmux-version "$version" 2>"$log"); then
    printf '%-6s %s\n' "$version" "left out: $(tail -n 1 "$log")"
    continue
  fi
  # shellcheck disable=SC2086
  PATH=$folder:$PATH .venv/bin/pytest -q -m "tmux and not agents" -n 2 --dist loadgroup ${PYTEST_ARGS:-} >"$log" 2>&1 || status=1
  printf '%-6s %s\n' "$version" "$(tail -n 1 "$log")"
  grep -E '^(FAILED|ERROR) ' "$log" | cut -c1-200 | sed 's/^/       /'
  [ -z "${CI:-}" ] || [ "$status" -eq 0 ] || tail -n 300 "$log"
done
exit "$status"

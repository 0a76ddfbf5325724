#!/usr/bin/env bash
# Brings a machine to where the Makefile's targets can run: virtual environment, tmux, sshd, Node, agent CLIs.
#
#   scripts/setup.sh venv|tmux|sshd|extras|node|agents|agents-dir
#
# Each subcommand is quick and silent when nothing is missing, says in one line what it does when something is, and
# installs a Debian package only as root or with a password-less sudo; else it prints the command to type and exits 1.
# Exit status 3 (node, agents) means: cannot be had here, the reason has been printed, go on without the real agents.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ROOT=$PWD
VENV=$ROOT/.venv
LOCK=$ROOT/tests/agents/node/package-lock.json
readonly SKIP=3

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# ---------------------------------------------------------------- Debian packages
# apt_get ARGS...: as root or through sudo; 1 if neither may be used
apt_get() {
  command -v apt-get >/dev/null || return 1
  if [ "$(id -u)" = 0 ]; then
    env DEBIAN_FRONTEND=noninteractive apt-get "$@"
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    sudo -n env DEBIAN_FRONTEND=noninteractive apt-get "$@"
  else
    return 1
  fi
}

how_to() {
  if command -v apt-get >/dev/null; then echo "sudo apt-get install -y $*"
  elif command -v brew >/dev/null; then echo "brew install $*"
  else echo "install $* with this system's package manager"; fi
}

# apt_install PACKAGE...: 1 if it may not or cannot
apt_install() {
  local log
  log=$(mktemp)
  apt_get --version >/dev/null 2>&1 || { rm -f "$log"; return 1; }
  say "installing $* with apt-get"
  if ! apt_get install -y --no-install-recommends "$@" >"$log" 2>&1; then
    # the usual cause on a fresh machine: no package lists yet
    { apt_get update && apt_get install -y --no-install-recommends "$@"; } >"$log" 2>&1 || {
      tail -n 5 "$log" >&2; rm -f "$log"; return 1; }
  fi
  rm -f "$log"
}

need() { apt_install "$@" || die "$* is missing; type: $(how_to "$@")"; }

# ---------------------------------------------------------------- Python
find_python() {
  local name
  for name in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
    [ -n "$name" ] && command -v "$name" >/dev/null || continue
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  die "Python 3.11 or newer is needed, found $(python3 --version 2>&1 || echo none); install one and set PYTHON=/path/to/python3"
}

# what the environment was made from; migrations are copied into an editable install, so they belong to it
venv_stamp() {
  "$1" - "$ROOT" <<'PY'
import hashlib, pathlib, sys
root = pathlib.Path(sys.argv[1])
h = hashlib.sha256(sys.version.encode())
for p in [root / "pyproject.toml", root / "src/agtmux/__init__.py", *sorted((root / "migrations").glob("**/*"))]:
    if p.is_file():
        h.update(p.name.encode() + b"\0" + p.read_bytes())
print(h.hexdigest())
PY
}

setup_venv() {
  local python stamp log
  python=$(find_python)
  stamp=$(venv_stamp "$python")
  if [ -x "$VENV/bin/python" ] && [ "$(cat "$VENV/.stamp" 2>/dev/null)" = "$stamp" ]; then return; fi
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    need python3-venv
    "$python" -c 'import ensurepip, venv' 2>/dev/null || die "$python has no venv module; type: $(how_to "$(basename "$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')")-venv")"
  fi
  say "making .venv with $("$python" --version) and installing agtmux with its development tools into it (about a minute)"
  log=$(mktemp)
  rm -f "$VENV/.stamp"
  if [ -x "$VENV/bin/python" ] && "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then :; else
    rm -rf "$VENV"
    "$python" -m venv "$VENV" >"$log" 2>&1 || { cat "$log" >&2; rm -f "$log"; die "could not make $VENV"; }
  fi
  "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check -e "$ROOT[dev]" >"$log" 2>&1 || {
    tail -n 20 "$log" >&2; rm -f "$log"; die "pip could not install the project (is a package index reachable?)"; }
  rm -f "$log"
  echo "$stamp" >"$VENV/.stamp"
}

# ---------------------------------------------------------------- tmux, sshd
setup_tmux() {
  command -v tmux >/dev/null || need tmux
  local version
  version=$(tmux -V | sed 's/[^0-9]*\([0-9]*\.[0-9]*\).*/\1/')
  case $version in
    0.*|1.*|2.*|3.0|3.1|3.2) die "tmux $version is too old, 3.3 or newer is needed; type: $(how_to tmux)" ;;
  esac
}

# the program is wanted, for tests that run their own on a private port; the service that Debian starts with it is not
setup_sshd() {
  if command -v sshd >/dev/null || [ -x /usr/sbin/sshd ]; then return; fi
  need openssh-server
  if [ -d /run/systemd/system ]; then
    say "switching the ssh service off again that came with it"
    { [ "$(id -u)" = 0 ] && systemctl disable --now ssh ssh.socket || sudo -n systemctl disable --now ssh ssh.socket; } \
      >/dev/null 2>&1 || true
  fi
}

# what single tests want besides, each a small package: another clock, a network to cut, other login shells. Where one
# cannot be had those tests say so and are skipped; nothing else needs it
setup_extras() {
  local missing=() shell
  compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null || missing+=(libfaketime)
  command -v ip >/dev/null || [ -x /sbin/ip ] || missing+=(iproute2)
  for shell in zsh fish tcsh; do command -v $shell >/dev/null || missing+=($shell); done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(uname)" = Linux ] || return 0
  apt_install "${missing[@]}" || say "some tests will be skipped; to run them too type: $(how_to "${missing[@]}")"
}

# ---------------------------------------------------------------- Node and the agent CLIs
setup_node() {
  if command -v node >/dev/null && command -v npm >/dev/null; then return; fi
  apt_install nodejs npm || {
    say "no real agents: Node and npm are missing; to have them type: $(how_to nodejs npm)"
    return $SKIP
  }
}

lock_hash() { "$(find_python)" -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest()[:16])' "$LOCK"; }
agents_dir() { echo "${AGTMUX_AGENTS_CACHE:-$ROOT/.cache/agents}/$(lock_hash)"; }

setup_agents() {
  local dir part log
  dir=$(agents_dir)
  if [ -d "$dir/node_modules" ]; then return; fi
  setup_node || return $SKIP
  part=$dir.part.$$ log=$(mktemp)
  trap 'rm -rf "$part" "$log"' RETURN
  mkdir -p "$part"
  cp "$ROOT"/tests/agents/node/{package.json,package-lock.json,.npmrc} "$part"
  if ! (cd "$part" && npm view @openai/codex version --fetch-retries=1 --fetch-timeout=20000) >"$log" 2>&1; then
    say "no real agents: the npm registry does not answer ($(grep -m1 -E 'npm (error|ERR!)' "$log" | cut -c1-120 || true))"
    return $SKIP
  fi
  say "installing the pinned agent CLIs into ${dir#"$ROOT"/} (about 1 GB, once)"
  if ! (cd "$part" && npm ci --no-progress) >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    die "npm ci failed although the registry answers"
  fi
  mv -T "$part" "$dir" 2>/dev/null || [ -d "$dir/node_modules" ] || mv "$part" "$dir"
}

case ${1:-} in
  venv) setup_venv ;;
  tmux) setup_tmux ;;
  sshd) setup_sshd ;;
  extras) setup_extras ;;
  node) setup_node ;;
  agents) setup_agents ;;
  agents-dir) agents_dir ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2 ;;
esac

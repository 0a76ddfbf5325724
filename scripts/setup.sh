#!/usr/bin/env bash
# Brings a machine to where the Makefile's targets can run: virtual environment, tmux, sshd, a browser, Node, agent CLIs.
#
#   scripts/setup.sh venv|git-hook|tmux|sshd|extras|browser|node|agents|agents-dir
#   scripts/setup.sh tmux-version VERSION     prints a folder to put in front of PATH, with a tmux of that version in it
#
# Each subcommand is quick and silent when nothing is missing, says in one line what it does when something is, and
# installs a Debian package only as root or with a password-less sudo; else it prints the command to type and exits 1.
# Exit status 3 (node, agents, tmux-version) means: cannot be had here, the reason has been printed, go on without it.
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
  for name in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
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

# the checks of .pre-commit-config.yaml before each commit; a hook of your own, or no repository, is no error
setup_git_hook() {
  local said
  if ! git rev-parse --git-dir >/dev/null 2>&1; then
    say "no checks before each commit: this folder is not a git repository"
  elif said=$("$VENV/bin/pre-commit" install 2>&1); then
    say "ready: .venv has the tools, and ruff and mypy run before each commit (skip once: git commit --no-verify)"
  else
    say "no checks before each commit: $(printf '%s' "$said" | tail -n 1)"
    say "run them yourself: make check"
  fi
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

# what single tests want besides, each a small package: another clock, a network to cut, other login
# shells, a program that hides an agent, a user manager for the service, groff, jq. Where one cannot be had those tests say so and are skipped
setup_extras() {
  local missing=() shell
  compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null || missing+=(libfaketime)
  command -v ip >/dev/null || [ -x /sbin/ip ] || missing+=(iproute2)
  command -v dtach >/dev/null || missing+=(dtach)
  command -v dbus-daemon >/dev/null || missing+=(dbus-daemon)
  command -v systemd-analyze >/dev/null || missing+=(systemd)
  command -v groff >/dev/null || missing+=(groff-base)
  command -v jq >/dev/null || missing+=(jq)
  command -v rsvg-convert >/dev/null || missing+=(librsvg2-bin)
  for shell in zsh fish tcsh; do command -v $shell >/dev/null || missing+=($shell); done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(uname)" = Linux ] || return 0
  apt_install "${missing[@]}" || say "some tests will be skipped; to run them too type: $(how_to "${missing[@]}")"
}

# ---------------------------------------------------------------- other versions of tmux
# Debian's suites package several. Each is unpacked into a folder of its own with the libraries it was built for, below
# $AGTMUX_TMUX_CACHE (.cache/tmux); nothing is installed, and the system's package sources and lists stay as they are.
TMUX_SUITES="bookworm bookworm-backports trixie trixie-backports testing sid experimental"

# private_apt FOLDER COMMAND ARGS...: apt-get or apt-cache with the sources, lists and packages of FOLDER alone
private_apt() {
  local folder=$1 command=$2
  shift 2
  "$command" -o Dir::State="$folder/state" -o Dir::State::status="$folder/status" -o Dir::Cache="$folder/cache" \
    -o Dir::Etc::sourcelist="$folder/sources.list" -o Dir::Etc::sourceparts=- -o Acquire::Languages=none \
    -o APT::Sandbox::User="$(id -un)" -o Debug::NoLocking=1 -q=2 "$@"
}

# the address of the Debian mirror that this system uses; nothing if it uses none
debian_mirror() {
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 2>/dev/null | sed -n 1p
}

# private_suite FOLDER SUITE MIRROR: fetches the package lists of one suite; 1 if they cannot be had
private_suite() {
  local folder=$1 suites=$2 one
  case $2 in *-backports) suites="${2%-backports} $2" ;; experimental) suites="sid $2" ;; esac
  mkdir -p "$folder"/state/lists/partial "$folder"/cache/archives/partial
  : >"$folder/status"
  for one in $suites; do
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $3 $one main"
  done >"$folder/sources.list"
  private_apt "$folder" apt-get update --error-on=any >"$folder/log" 2>&1
}

# unpack_tmux FOLDER PACKAGE_VERSION DESTINATION: tmux with all it needs, and a program `tmux` that starts it
unpack_tmux() {
  local folder=$1 dest=$3 part=$3.part deb loader triplet
  private_apt "$folder" apt-get install -y --download-only --no-install-recommends "tmux=$2" >"$folder/log" 2>&1 ||
    return 1
  rm -rf "$part" "$dest"
  mkdir -p "$part/root"
  for deb in "$folder"/cache/archives/*.deb; do dpkg-deb -x "$deb" "$part/root"; done
  find "$part/root" -mindepth 1 -depth \( -path '*/share/*' -o -path '*/gconv/*' -o -path '*/systemd/*' \) -delete
  loader=$(cd "$part/root" && find * -path "*lib/*/ld-linux*.so.*" | head -n 1)
  triplet=$(basename "$(dirname "$loader")")
  # a script, since the loader's path stands in a program and these libraries must be used by no other
  cat >"$part/tmux" <<SH
#!/bin/sh
exec '$dest/root/$loader' --library-path '$dest/root/lib/$triplet:$dest/root/usr/lib/$triplet' '$dest/root/usr/bin/tmux' "\$@"
SH
  chmod 755 "$part/tmux"
  mv -T "$part" "$dest"
}

is_tmux() { [ "$("$1" -V 2>/dev/null)" = "tmux $2" ]; }

# setup_tmux_version VERSION: prints the folder
setup_tmux_version() {
  local version=$1 cache=${AGTMUX_TMUX_CACHE:-$ROOT/.cache/tmux} mirror suite found folder work
  mkdir -p "$cache"
  cache=$(cd "$cache" && pwd)
  if is_tmux "$cache/$version/tmux" "$version"; then echo "$cache/$version"; return; fi
  exec 8>"$cache/.lock"
  flock 8
  if is_tmux "$cache/$version/tmux" "$version"; then echo "$cache/$version"; return; fi
  if is_tmux tmux "$version"; then
    rm -rf "${cache:?}/$version"
    mkdir "$cache/$version"
    ln -s "$(command -v tmux)" "$cache/$version/tmux"
    echo "$cache/$version"
    return
  fi
  if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    say "no tmux $version: it comes from Debian's packages, and apt-get or dpkg-deb is missing here" >&2; return $SKIP
  fi
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || { apt_get update >/dev/null 2>&1 || true; mirror=$(debian_mirror); }
  [ -n "$mirror" ] || { say "no tmux $version: this system has no Debian mirror among its package sources" >&2; return $SKIP; }
  work=$(mktemp -d)
  for suite in $TMUX_SUITES; do
    folder=$work/$suite
    mkdir "$folder"
    private_suite "$folder" "$suite" "$mirror" || {
      say "the package lists of $suite cannot be had: $(tail -n 1 "$folder/log")" >&2; continue; }
    found=$(private_apt "$folder" apt-cache madison tmux |
      awk -v v="$version" '{ sub(/^[0-9]+:/, "", $3) } index($3, v "-") == 1 { print $3; exit }')
    [ -n "$found" ] || continue
    say "unpacking tmux $found of $suite into $cache/$version" >&2
    unpack_tmux "$folder" "$found" "$cache/$version" && is_tmux "$cache/$version/tmux" "$version" && break
    say "it does not run: $(tail -n 1 "$folder/log") $("$cache/$version/tmux" -V 2>&1)" >&2
    rm -rf "${cache:?}/$version"
  done
  rm -rf "$work"
  is_tmux "$cache/$version/tmux" "$version" || {
    say "no tmux $version: found in none of Debian's suites ($TMUX_SUITES)" >&2; return $SKIP; }
  echo "$cache/$version"
}

# ---------------------------------------------------------------- Node and the agent CLIs
setup_node() {
  if command -v node >/dev/null && command -v npm >/dev/null; then return; fi
  apt_install nodejs npm || {
    say "no real agents: Node and npm are missing; to have them type: $(how_to nodejs npm)"
    return $SKIP
  }
}

# ---------------------------------------------------------------- a browser for the tests of the web page
# Debian's chromium, and axe-core, which finds what keeps people from using a page. axe-core is unpacked below .cache.
# Where one cannot be had those tests say so and are skipped
AXE=4.14.1
AXE_SHA512=1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b734f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5
setup_browser() {
  [ "$(uname)" = Linux ] || return 0
  command -v chromium >/dev/null || apt_install chromium fonts-dejavu-core || {
    say "the tests of the web page will be skipped; to run them too type: $(how_to chromium)"; return 0; }
  local dir=$ROOT/.cache/axe-core/$AXE part
  if [ -f "$dir/axe.min.js" ]; then return; fi
  setup_node || return 0
  say "fetching axe-core $AXE into ${dir#"$ROOT"/}"
  part=$(mktemp -d)
  if (cd "$part" && npm pack "axe-core@$AXE" --silent --fetch-retries=1 --fetch-timeout=20000) >/dev/null 2>&1 &&
    echo "$AXE_SHA512  $part/axe-core-$AXE.tgz" | sha512sum --check --status; then
    mkdir -p "$dir"
    tar -xzf "$part/axe-core-$AXE.tgz" -C "$part" package/axe.min.js package/LICENSE
    mv "$part/package/LICENSE" "$part/package/axe.min.js" "$dir"
  else
    say "one test of the web page will be skipped: axe-core $AXE cannot be had from the npm registry"
  fi
  rm -rf "$part"
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
  git-hook) setup_git_hook ;;
  tmux) setup_tmux ;;
  sshd) setup_sshd ;;
  extras) setup_extras ;;
  browser) setup_browser ;;
  node) setup_node ;;
  agents) setup_agents ;;
  agents-dir) agents_dir ;;
  tmux-version) setup_tmux_version "${2:?a version is missing, such as 3.5a}" ;;
  *) sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2 ;;
esac

"""Replays a corpus recording inside a tmux pane: screen, title, process names, hooks, status file, transcript.

    python -m tests.replay.player RECORDING [--hook-cmd 'agtmux hook claude'] [--config-home DIR] [--log FILE]

Run it as a pane's command or type it in a pane's shell. The pane's process becomes an impostor of the recorded shell or
agent; the conductor that draws leaves the pane's process tree. Linux only.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, Final

from tests.replay import impostor
from tests.replay.conductor import Conductor, renamed

_CONFIG_ENV = {"claude": "CLAUDE_CONFIG_DIR", "codex": "CODEX_HOME", "copilot": "COPILOT_HOME"}


def load(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Header and lines. Raises SystemExit if it is no recording."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not rows or rows[0].get("kind") != "header":
        raise SystemExit(f"{path}: no header line; is it a corpus recording?")
    return rows[0], rows[1:]


def parse(argv: list[str]) -> argparse.Namespace:
    """The options, paths made absolute."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = Path.cwd()
    ap.add_argument("recording", type=Path)
    ap.add_argument("--as", dest="as_name", metavar="NAME", help="process name of the agent (default: as recorded)")
    ap.add_argument("--speed", type=float, default=1.0)
    ap.add_argument(
        "--hook-cmd",
        default="none",
        metavar="CMD",
        help="shell command fed with each hook payload on stdin ({event} is replaced); 'settings': what the settings "
        "under --config-home name; 'none' (default)",
    )
    ap.add_argument("--notify-cmd", default="none", metavar="CMD", help="Codex notify program; 'settings'; 'none'")
    ap.add_argument(
        "--config-home", type=Path, metavar="DIR", help="stands for ~/.claude, ~/.codex, ..; default: private"
    )
    ap.add_argument("--home", type=Path, default=Path.home(), metavar="DIR", help="stands for $HOME inside payloads")
    ap.add_argument("--cwd", type=Path, default=here, metavar="DIR", help="stands for the project folder")
    ap.add_argument("--log", type=Path, metavar="FILE", help="JSONL with the wall-clock time of every step")
    ap.add_argument("--events", type=_words, metavar="A,B", help="feed only these hook events")
    ap.add_argument("--not-events", type=_words, default=frozenset(), metavar="A,B")
    ap.add_argument("--no-status-file", action="store_true")
    ap.add_argument("--no-transcript", action="store_true")
    ap.add_argument("--no-osc", action="store_true", help="leave out OSC 7501 and the like")
    ap.add_argument("--other-pane", default="%99999", metavar="PANE", help="pane that a shared daemon's hooks name")
    ap.add_argument(
        "--fresh-ids", action="store_true", help="new session ids (several replays of one recording at once)"
    )
    ap.add_argument("--hold", type=float, default=0.0, metavar="S", help="keep the last state for S seconds")
    ap.add_argument("--pause-at", type=int, default=0, metavar="MS", help="with --pause-until: wait before this moment")
    ap.add_argument("--pause-until", type=Path, metavar="FILE", help="... until this file is there")
    ap.add_argument("--any-size", action="store_true", help="do not resize the tmux window")
    ap.add_argument("--keep", action="store_true", help="keep the private run folder")
    out = ap.parse_args(argv)
    for name in ("recording", "config_home", "home", "cwd", "log"):
        if getattr(out, name) is not None:
            setattr(out, name, getattr(out, name).absolute())
    return out


_SHELL: Final[list[dict[str, Any]]] = [{"comm": "bash", "argv": ["bash"]}]
"""Of a recording that does not name its shell."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split(","))


def _interpreter(bin_dir: Path, name: str) -> None:
    """The interpreter under another file name: a hard link to one private copy, else a symbolic link."""
    target = bin_dir / name[:15]
    if target.is_symlink() or target.exists():
        return
    real = Path(sys.executable).resolve()
    seen = real.stat()
    cache = Path(tempfile.gettempdir(), f"replay-interpreter-{os.getuid()}", f"{seen.st_mtime_ns}-{seen.st_size}")
    try:
        if not cache.exists():
            cache.parent.mkdir(mode=0o700, exist_ok=True)
            part = cache.with_name(f"{cache.name}.{os.getpid()}")
            shutil.copy2(real, part)
            part.replace(cache)
        target.hardlink_to(cache)
    except OSError:
        target.symlink_to(real)


def _write_site(run: Path) -> Path:
    """The folder whose sitecustomize turns an interpreter into an impostor."""
    site = run / "site"
    site.mkdir()
    here = str(Path(__file__).parent)
    (site / "sitecustomize.py").write_text(
        "import os, sys\nif os.environ.get('REPLAY_IMPOSTOR'):\n    sys.dont_write_bytecode = True\n"
        f"    sys.path.insert(0, {here!r})\n    import impostor\n    impostor.main()\n"
    )
    return site


def _conduct(conductor: Conductor, run: Path, keep: bool) -> None:
    """The child's part: leave the pane's process tree and session, then play. Never returns."""
    os.setsid()
    if os.fork():
        os._exit(0)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    errors = os.open(run / "conductor.err", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(errors, 1)
    os.dup2(errors, 2)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        conductor.play()
    except BaseException:  # noqa: BLE001 - a forked child's outermost edge: told in the log, then it ends
        conductor.log(kind="crash", error=traceback.format_exc())
    if not keep:
        shutil.rmtree(run, ignore_errors=True)
    os._exit(0)


def main(argv: list[str]) -> None:
    """Becomes the impostor of the pane's own process; never returns."""
    options = parse(argv)
    head, lines = load(options.recording)
    if not os.isatty(1):
        raise SystemExit("the player draws on its terminal: run it in a tmux pane")
    run = Path(tempfile.mkdtemp(prefix="replay-"))
    options.config_home = options.config_home or run / "config"
    options.config_home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if head["agent"] in _CONFIG_ENV:  # visible in the environment of the agent, as with the real program
        os.environ[_CONFIG_ENV[head["agent"]]] = str(options.config_home)
    elif options.config_home.name == ".gemini":
        os.environ["GEMINI_CLI_HOME"] = str(options.config_home.parent)
    options.log = options.log or Path.cwd() / f"replay-{head['agent']}-{head['scenario']}.log.jsonl"
    starts = [line for line in lines if line["kind"] == "proc" and line.get("chain")]
    bin_dir = run / "bin"
    bin_dir.mkdir()
    shell = next((line["chain"] for line in starts if line["event"] == "shell"), _SHELL)
    for process in shell:
        _interpreter(bin_dir, process["comm"])
    for line in starts:
        chain = copy.deepcopy(line["chain"])
        for process in renamed(chain, options.as_name) if line["event"] == "start" else chain:
            _interpreter(bin_dir, process["comm"])
    site, tty = _write_site(run), os.dup(1)
    saved = {name: os.environ[name] for name in impostor.PRIVATE if name in os.environ}
    os.environ["REPLAY_SAVED_ENV"] = json.dumps(saved)
    conductor = Conductor(options, head, lines, run, tty)
    child = os.fork()
    if child == 0:
        _conduct(conductor, run, options.keep)
    os.waitpid(child, 0)
    end = time.time() + 5
    while not (run / "ready").exists() and time.time() < end:
        time.sleep(0.002)
    os.close(tty)
    conf: dict[str, Any] = {"bin": str(bin_dir), "site": str(site), "pyhome": sys.base_prefix, "ctl": str(run / "ctl")}
    if head.get("chain_root") == "agent":
        start = next(line for line in starts if line["event"] == "start")
        conf |= {"role": "agent", "chain": conductor.chain(start), "level": 0}
    else:
        conf |= {"role": "shell", "chain": shell, "level": 0}
    impostor.exec_as(conf["chain"][0], conf)


if __name__ == "__main__":
    main(sys.argv[1:])

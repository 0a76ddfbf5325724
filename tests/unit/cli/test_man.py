"""Manual pages: one for each command, made from its help, and read by man without a complaint."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from agtmux.cli.man import pages
from agtmux.cli.root import root
from tests.unit.daemon_stub import agtmux, out
from tests.unit.test_words import commands

PAGES = dict(pages(root))


@pytest.mark.tc("TC-537")
def test_each_command_has_a_page_with_all_its_options() -> None:
    for name, command in commands(root, "agtmux"):
        text = PAGES[name.replace(" ", "-")].replace("\\-", "-").replace("\\(aq", "'")
        assert text.startswith(f'.TH "{name.replace(" ", "-").upper()}" "1"')
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert option.opts[0] in text, (name, option.name)
        assert "\b" not in text
    assert len(PAGES) == len(list(commands(root, "agtmux")))


@pytest.mark.tc("TC-537")
def test_pages_are_rendered_without_a_warning(tmp_path: Path) -> None:
    """By groff, which man uses; and by mandoc, where it is installed."""
    for name, text in PAGES.items():
        (tmp_path / f"{name}.1").write_text(text)
    files = sorted(map(str, tmp_path.glob("*.1")))
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Kutf8", "-Tutf8", *files], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout)
    assert re.search(r"agtmux-approve\s+-\s+Approve what an agent asks for, once", shown)
    assert "Ctrl-C" in shown
    if shutil.which("mandoc"):
        lint = subprocess.run(
            ["mandoc", "-T", "lint", "-W", "error", *files], capture_output=True, text=True, check=False, timeout=120
        )
        assert lint.stdout == ""


@pytest.mark.tc("TC-537")
def test_text_that_means_something_to_roff_means_itself() -> None:
    @click.command("odd", help=".SH not a section\n\n'quoted' \\fBnot bold\\fR `x` -- ~/a\n\n\b\nExample:\n  .odd -x")
    def odd() -> None:
        """Replaced."""

    ((_, text),) = pages(odd)
    lines = text.splitlines()
    assert [line for line in lines if line.startswith(".SH")] == [
        ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH OPTIONS", ".SH EXAMPLES",
    ]  # fmt: skip
    assert "\\&.odd \\-x" in text
    assert "\\efBnot bold\\efR" in text


@pytest.mark.tc("TC-537")
def test_all_pages_are_written_into_a_folder(short_dir: Path) -> None:
    folder = short_dir / "share" / "man1"
    assert out(short_dir, "man", "--dir", str(folder)) == f"wrote {len(PAGES)} pages to {folder}\n"
    assert {path.stem for path in folder.iterdir()} == set(PAGES)
    assert out(short_dir, "man", "daemon", "start") == (folder / "agtmux-daemon-start.1").read_text()
    assert out(short_dir, "man").startswith('.TH "AGTMUX" "1"')
    assert agtmux(short_dir, "man", "nothing").returncode == 2
    assert agtmux(short_dir, "man", "ls", "--dir", str(folder)).returncode == 2
    (short_dir / "file").touch()
    refused = agtmux(short_dir, "man", "--dir", str(short_dir / "file" / "x"))
    assert refused.returncode == 2
    assert b"Not a directory" in refused.stderr

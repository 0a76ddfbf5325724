"""Serve the files of the page from memory. A name that is not in the list is not served, so no path leads elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from aiohttp import web

TYPES: Final = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
"""What a file may be, by the end of its name. Others are not served."""


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file as it is sent."""

    body: bytes
    content_type: str
    etag: str

    def answer(self, request: web.Request) -> web.Response:
        """Answer with the file, or with 304 if the browser has this very version."""
        headers = {"ETag": self.etag, "Cache-Control": "no-cache"}
        if self.etag in (one.strip() for one in request.headers.get("If-None-Match", "").split(",")):
            return web.Response(status=304, headers=headers)
        charset = None if self.content_type.startswith("image/") else "utf-8"
        return web.Response(body=self.body, content_type=self.content_type, charset=charset, headers=headers)


def load() -> Mapping[str, PageFile]:
    """Read the files of the page, by path: ``/`` is index.html, the others have their own names."""
    found: dict[str, PageFile] = {}
    for entry in files(__package__).joinpath("static").iterdir():
        kind = TYPES.get("." + entry.name.rpartition(".")[2])
        if kind is None:
            continue
        body = entry.read_bytes()
        etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
        found["/" if entry.name == "index.html" else f"/{entry.name}"] = PageFile(body, kind, etag)
    return found

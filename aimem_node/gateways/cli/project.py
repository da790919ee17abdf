"""Which namespace a memory belongs to when nobody says: that of the project we stand in.

The name of the git origin, else of the directory, else "global". Git's files are read
directly, since starting git would cost more than the whole call.
"""

from __future__ import annotations

import os

FALLBACK = "global"
NAMESPACE_CHARS_MAX = 512


def namespace(cwd: str) -> str:
    """The namespace for new memories in a directory."""
    return _clean(_origin_name(cwd)) or _clean(os.path.basename(cwd.rstrip("/"))) or FALLBACK


def _origin_name(cwd: str) -> str:
    config = _git_config(cwd)
    if not config:
        return ""
    try:
        with open(config, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return ""
    in_origin = False
    for line in lines:
        said = line.strip()
        if said.startswith("["):
            in_origin = said.replace(" ", "").startswith('[remote"origin"]')
        elif in_origin and said.partition("=")[0].strip() == "url":
            url = said.partition("=")[2].strip().strip('"').rstrip("/")
            return url.replace(":", "/").rpartition("/")[2].removesuffix(".git")
    return ""


def _git_config(cwd: str) -> str:
    """Path of the repository's config, or "". In a worktree `.git` is a file that points on."""
    place = cwd
    while True:
        dot_git = os.path.join(place, ".git")
        if os.path.isdir(dot_git):
            return os.path.join(dot_git, "config")
        if os.path.isfile(dot_git):
            return _linked_config(place, dot_git)
        above = os.path.dirname(place)
        if above == place:
            return ""
        place = above


def _linked_config(place: str, dot_git: str) -> str:
    try:
        with open(dot_git, encoding="utf-8", errors="replace") as file:
            gitdir = file.read().partition("gitdir:")[2].strip()
        gitdir = os.path.join(place, gitdir)
        common = os.path.join(gitdir, "commondir")
        if os.path.exists(common):
            with open(common, encoding="utf-8", errors="replace") as file:
                gitdir = os.path.join(gitdir, file.read().strip())
        return os.path.join(gitdir, "config")
    except OSError:
        return ""


def _clean(name: str) -> str:
    kept = "".join(
        "-" if char in "\\/" or char.isspace() else char for char in name if char.isprintable()
    )[:NAMESPACE_CHARS_MAX]
    return "" if kept in (".", "..") else kept

"""The commit that this code is of: of its checkout, else as a build or an installation from git noted it."""

from __future__ import annotations

import json
import subprocess
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STAMP = Path(__file__).with_name("COMMIT")
"""Written into a wheel when it is built from a checkout; see setup.py."""


def commit_of_this_code() -> str | None:
    """The commit, with "+changes" if a checkout was changed since; None where nothing tells."""
    return commit_of_checkout(ROOT) or _of_stamp() or _of_installation()


def commit_of_checkout(root: Path) -> str | None:
    """The commit that a folder is a checkout of; None for a folder somewhere below one, such as a virtual environment.

    Args:
        root: the folder, without symbolic links.
    """
    try:
        if Path(_git(root, "rev-parse", "--show-toplevel")).resolve() != root:
            return None
        commit = _git(root, "rev-parse", "HEAD")
        return commit + ("+changes" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _of_stamp() -> str | None:
    return STAMP.read_text(encoding="utf-8").strip() or None if STAMP.is_file() else None


def _of_installation() -> str | None:
    """What pip notes where it installs from git (PEP 610)."""
    try:
        text = distribution("pctrans-bench").read_text("direct_url.json")
        commit = json.loads(text or "{}").get("vcs_info", {}).get("commit_id")
    except (PackageNotFoundError, ValueError, AttributeError):
        return None
    return str(commit) if commit else None


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

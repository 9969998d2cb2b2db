"""What pyproject.toml cannot say: a wheel knows the commit that it was built from."""

from __future__ import annotations

import subprocess
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


class BuildWithCommit(build_py):
    """Notes the commit in the build, and not in the source."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode and (commit := _commit()):
            (Path(self.build_lib) / "benchmarks" / "machine" / "COMMIT").write_text(commit + "\n", encoding="utf-8")


def _commit() -> str | None:
    try:
        if Path(_git("rev-parse", "--show-toplevel")).resolve() != ROOT:
            return None
        return _git("rev-parse", "HEAD") + ("+changes" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()


setup(cmdclass={"build_py": BuildWithCommit})

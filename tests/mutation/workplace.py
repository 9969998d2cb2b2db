"""A copy of the project in which mutmut reaches every function.

mutmut leaves decorated functions alone: half of the matching, the grouping, inference and the backward pass of the
dynamic convolution. In the copy, `@decorate def f` is `def f` followed by `f = decorate(f)`, which is the same to
Python. Messages of errors and names of profiler sections are marked as not to be mutated: no number depends on them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

MUTATED = ("pctrans", "benchmarks/metrics")
"""Packages that are mutated; each is tested by the folder of the same name in tests/."""

COPIED = (
    *("pctrans/**/*", "benchmarks/**/*", "baselines/**/*", "tests/*.py"),
    *(f"tests/{folder}/**/*" for folder in (*MUTATED, "golden")),
)
CONFIGURATION = f"""

[tool.mutmut]
source_paths = ["pctrans", "benchmarks"]
only_mutate = {[f"{package}/*" for package in MUTATED]}
also_copy = ["baselines"]
pytest_add_cli_args_test_selection = {[f"tests/{package}" for package in MUTATED]}
# Hypothesis' profile "ci" draws the same examples each time and has no deadline, which a busy machine would miss.
# unraisableexception collects garbage over all of torch and transformers, which takes longer than the tests.
pytest_add_cli_args = ["-p", "no:cacheprovider", "-p", "no:unraisableexception", "--hypothesis-profile=ci"]
# Torch does not survive a fork after a backward pass: mutants are forked from a process that has only imported.
process_isolation = "forkserver"
# Generous, as a machine may be busy: hardly a mutant of this code loops for ever.
timeout_constant = 15.0
timeout_multiplier = 8.0
on_dependency_change = "ignore"
"""


def prepare(root: Path, workplace: Path) -> bool:
    """Bring the copy of `root` in `workplace` up to date; files that are as they were keep their time of change.

    Returns:
        Whether a test, or what tests need beside the mutated packages, changed.
    """
    wanted = {Path("pyproject.toml"): _configured(root / "pyproject.toml")}
    for path in _files(root):
        content = (root / path).read_bytes()
        wanted[path] = approachable(content.decode()).encode() if _is_mutated(path) else content
    changed = [path for path, content in wanted.items() if _write(workplace / path, content)]
    for path in [path for path in _files(workplace) if path not in wanted]:
        changed.append(path)
        (workplace / path).unlink()
    for path in changed:  # mutmut makes mutated files anew by itself, but keeps its copies of all others
        if not _is_mutated(path) or not (workplace / path).exists():
            (workplace / "mutants" / path).unlink(missing_ok=True)
    return any(not _is_mutated(path) for path in changed)


def approachable(source: str) -> str:
    """The same module without decorators on functions, and with marks on what is not to be mutated."""
    lines = source.splitlines()
    tree = ast.parse(source)
    for number in _without_numbers(tree):
        lines[number - 1] += "  # pragma: no mutate"
    for function in sorted(_decorated(tree), key=lambda f: f.lineno, reverse=True):
        call = function.name
        for decorator in reversed(function.decorator_list):
            call = f"{ast.unparse(decorator)}({call})"
        lines.insert(function.end_lineno or 0, f"{' ' * function.col_offset}{function.name} = {call}")
        first = function.decorator_list[0].lineno - 1
        lines[first : function.lineno - 1] = []
    return "\n".join(lines) + "\n"


def _decorated(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    for statement in (statement for body in bodies for statement in body):
        if isinstance(statement, ast.FunctionDef) and statement.decorator_list:
            yield statement


def _without_numbers(tree: ast.Module) -> set[int]:
    """Lines of raised errors and of the names of profiler sections."""
    numbers: set[int] = set()
    for node in ast.walk(tree):
        named = isinstance(node, ast.withitem) and ast.unparse(node).startswith("record_function(")
        place = node.context_expr if named else node
        if named or isinstance(node, ast.Raise):
            numbers.update(range(place.lineno, (place.end_lineno or place.lineno) + 1))
    return numbers


def _configured(pyproject: Path) -> bytes:
    return (pyproject.read_text() + CONFIGURATION).encode()


def _is_mutated(path: Path) -> bool:
    return path.suffix == ".py" and any(path.is_relative_to(package) for package in MUTATED)


def _files(root: Path) -> Iterator[Path]:
    for pattern in COPIED:
        for path in sorted(root.glob(pattern)):
            if path.is_file() and "__pycache__" not in path.parts and ".hypothesis" not in path.parts:
                yield path.relative_to(root)


def _write(path: Path, content: bytes) -> bool:
    if path.exists() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return True

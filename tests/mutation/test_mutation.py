"""The copy that is mutated does what the original does, and the list of equivalent mutants is read as it is meant."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from survivors import Change, Equivalents, parse_diff, summarise
from workplace import approachable, prepare

ROOT = Path(__file__).parents[2]
SOURCE = '''
from functools import lru_cache, wraps

def twice(f):
    @wraps(f)
    def call(x):
        return 2 * f(x)
    return call

@twice
@lru_cache(maxsize=None)
def plus_one(x):
    """Unchanged."""
    if x < 0:
        raise ValueError(
            "negative"
        )
    return x + 1

class Holder:
    size = 3

    @property
    def area(self):
        return self.size**2

    @staticmethod
    def make():
        return Holder()
'''


def test_functions_lose_their_decorators_and_keep_what_these_do() -> None:
    source = approachable(SOURCE)
    assert "@twice" not in source and "@property" not in source and "    @wraps(f)" in source
    assert source.count("# pragma: no mutate") == 3
    names: dict = {}
    exec(compile(source, "copy", "exec"), names)
    assert names["plus_one"](4) == 10
    assert names["Holder"].make().area == 9


@pytest.mark.parametrize("path", [*ROOT.glob("pctrans/*.py"), *ROOT.glob("benchmarks/metrics/*.py")], ids=str)
def test_every_mutated_module_stays_a_module(path: Path) -> None:
    compile(approachable(path.read_text()), path.name, "exec")


def test_the_copy_follows_the_original(tmp_path: Path) -> None:
    root, copy = tmp_path / "root", tmp_path / "copy"
    for name in ("pctrans/a.py", "tests/pctrans/test_a.py", "tests/pctrans/test_b.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x = 1\n")
    (root / "pyproject.toml").write_text("")
    assert prepare(root, copy)
    assert not prepare(root, copy)
    (root / "pctrans/a.py").write_text("x = 2\n")
    assert not prepare(root, copy)  # no test changed
    assert (copy / "pctrans/a.py").read_text() == "x = 2\n"
    (root / "tests/pctrans/test_b.py").unlink()
    assert prepare(root, copy)
    assert not (copy / "tests/pctrans/test_b.py").exists()


DIFF = """--- pctrans/a.py
+++ pctrans/a.py
@@ -1,3 +1,3 @@
 def f(x):
-    y = torch.zeros(3, device=x.device)
+    y = torch.zeros(3, device=None)
     return y
"""
LIST = r"""
rules:
  - {pattern: 'device=[\w.]+', replacement: 'device=None', reason: the CPU is the default}
mutants:
  - file: pctrans/a.py
    function: f
    original: |
      return x + 0
    mutated: |
      return x - 0
    reason: zero
"""


def test_equivalent_mutants_are_known_by_their_text(tmp_path: Path) -> None:
    (tmp_path / "mutants.yaml").write_text(LIST)
    equivalents = Equivalents(tmp_path / "mutants.yaml")
    change = parse_diff("pctrans/a.py", "f", DIFF)
    assert change.original == "y = torch.zeros(3, device=x.device)"
    assert equivalents.reason(change) == "the CPU is the default"
    assert (
        equivalents.reason(Change("pctrans/a.py", "f", change.original, "y = torch.zeros(4, device=x.device)")) is None
    )
    listed = Change("pctrans/a.py", "f", "return x + 0", "return x - 0")
    assert equivalents.reason(listed) == "zero"
    assert equivalents.stale([listed], {"pctrans/a.py"}) == []
    assert equivalents.stale([], {"pctrans/a.py"}) == [listed]
    assert equivalents.stale([], {"pctrans/b.py"}) == []


def test_the_list_in_the_documentation_can_be_read() -> None:
    Equivalents(ROOT / "docs" / "mutants.yaml")


def test_the_summary_adds_up() -> None:
    lines = summarise({"a.py": Counter(killed=3, survived=1), "b.py": Counter(killed=2, timeout=1)}).splitlines()
    assert lines[-1].split() == ["all", "7", "5", "1", "1"]

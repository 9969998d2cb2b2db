"""Mutate the method and the metrics, and see whether their tests notice: `make mutants`.

    python tests/mutation/run.py                                            # all; continues where it was stopped
    python tests/mutation/run.py pctrans/losses.py pctrans/contrast.py      # these, from the start

The copy that is mutated, with results, is build/mutants; remove it to start anew. When a test changes, what was not
killed is tried again. Fails if a mutant survives that
docs/mutants.yaml does not list, or one is listed that does not survive.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from survivors import SETTLED, Change, Equivalents, parse_diff, summarise
from workplace import MUTATED, prepare

ROOT = Path(__file__).resolve().parents[2]
WORKPLACE = ROOT / "build" / "mutants"
EQUIVALENTS = ROOT / "docs" / "mutants.yaml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", help="mutated files, such as pctrans/losses.py; all if none is given")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--again", action="store_true", help="try again what was not killed, timeouts too")
    parser.add_argument("--report", action="store_true", help="judge what is there, without testing anything")
    arguments = parser.parse_args()
    if not arguments.report:
        if prepare(ROOT, WORKPLACE) or arguments.again:
            _forget_survivors()
        _test(arguments.files, arguments.workers)
    os.chdir(WORKPLACE)  # where mutmut looks for its results
    sys.exit(_judge(arguments.files))


def _test(files: list[str], workers: int) -> None:
    """Run mutmut; its exit status says whether it ran, not what survived."""
    modules = [file.removesuffix(".py").removesuffix("/__init__").replace("/", ".") + ".*" for file in files]
    command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", str(workers), *modules]
    # One thread a worker, and no path to the original.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
    if status := subprocess.run(command, cwd=WORKPLACE, env=environment).returncode:
        sys.exit(f"mutmut did not run to its end (exit status {status}): see above; the same command goes on.")


def _forget_survivors() -> None:
    """Have what was not killed tried again, and find anew which test runs which function."""
    (WORKPLACE / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)
    for path in (WORKPLACE / "mutants").rglob("*.py.meta"):
        meta = json.loads(path.read_text())
        codes = meta["exit_code_by_key"]
        meta["exit_code_by_key"] = {name: code if code == 1 else None for name, code in codes.items()}
        path.write_text(json.dumps(meta, indent=4))


def _judge(files: list[str]) -> int:
    """Print what survived and was not expected to, and what was and did not; 1 if there is any, or mutants are left."""
    equivalents = Equivalents(EQUIVALENTS)
    results = _results(files)
    survivors = [change for file, mutants in results.items() for change in _survivors(file, mutants)]
    unlisted = [change for change in survivors if equivalents.reason(change) is None]
    finished = {file for file, mutants in results.items() if "not checked" not in mutants.values()}
    stale = equivalents.stale(survivors, finished)

    print(summarise({file: Counter(mutants.values()) for file, mutants in results.items()}))
    if left := sum(file not in finished for file in results):
        print(f"{left} files are not done: the same command without --report goes on.")
    print(f"{len(survivors) - len(unlisted)} survivors are listed as equivalent in {EQUIVALENTS.relative_to(ROOT)}.")
    for title, changes in (("Survived, and not listed as equivalent:", unlisted), ("Listed, but killed:", stale)):
        if changes:
            print(f"\n{title}\n", *changes, sep="\n")
    return int(bool(unlisted or stale or left or not results))


def _results(files: list[str]) -> dict[str, dict[str, str]]:
    """Status of each mutant by file and name."""
    from mutmut.stats import status_by_exit_code

    results = {}
    for path in sorted(path for package in MUTATED for path in (Path("mutants") / package).rglob("*.py.meta")):
        file = str(path.relative_to("mutants"))[: -len(".meta")]
        codes = json.loads(path.read_text())["exit_code_by_key"]
        if codes and (not files or file in files):
            results[file] = {name: status_by_exit_code[code] for name, code in codes.items()}
    return results


def _survivors(file: str, mutants: dict[str, str]) -> list[Change]:
    from mutmut.mutation.diff_apply import get_diff_for_mutant
    from mutmut.utils.format_utils import orig_function_and_class_names_from_key

    changes = []
    for name, status in mutants.items():
        if status not in SETTLED:
            function, owner = orig_function_and_class_names_from_key(name)
            diff = get_diff_for_mutant(name, path=file)
            changes.append(parse_diff(file, f"{owner}.{function}" if owner else function, diff))
    return changes


if __name__ == "__main__":
    main()

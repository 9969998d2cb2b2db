from __future__ import annotations

import csv
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from synthesis import edit_result, fail

from reports.collect import collect
from reports.latex import PREAMBLE, escape, table_fragment
from reports.published import PUBLISHED
from reports.table import ReportPaths, write_table

HOSTILE = r"folder:/a_b/\input{/etc/passwd}$x^2$ 100% #1 & ~é€中\end{document}"


def write(out: Path, table: str = "table4") -> ReportPaths:
    return write_table(collect(out, table), out)


def body(fragment: str) -> list[list[str]]:
    lines = fragment.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    return [[cell.strip() for cell in line.removesuffix(r"\\").split("&")] for line in lines]


def test_columns_and_rows_are_the_papers(one_seed: Path) -> None:
    fragment = table_fragment(collect(one_seed, "table4"))
    with (PUBLISHED / "table4.csv").open() as stream:
        published = list(csv.reader(stream))[1:]
    rows = body(fragment)
    assert [["1" if cell else "0" for cell in row[:6]] for row in rows] == [line[:6] for line in published]
    assert {cell for row in rows for cell in row[:6]} == {r"\checkmark", ""}
    plain = [[re.sub(r"\\textbf\{(.*)\}", r"\1", cell) for cell in row[6::2]] for row in rows]
    assert plain == [line[6:] for line in published]
    headings = fragment.split(r"\toprule")[1].split(r"\midrule")[0]
    titles = re.findall(r"\\multicolumn\{2\}\{c\}\{(.*?)\}", headings)
    assert titles == [rf"{name} $\uparrow$" for name in ("AJI", "Dice", "F1", "PQ")]
    assert re.findall(r"cmidrule\(lr\)\{(.*?)\}", headings) == ["7-8", "9-10", "11-12", "13-14"]


def test_measured_figures_and_bold(one_seed: Path) -> None:
    for number in range(1, 9):
        edit_result(one_seed, f"table4-row{number}-seed0", "metrics.pq", 0.1 * number)
    edit_result(one_seed, "table4-row3-seed0", "metrics.pq", 0.8)
    measured = [row[13] for row in body(table_fragment(collect(one_seed, "table4")))]
    best = r"\textbf{0.8000}"
    assert measured == ["0.1000", "0.2000", best, "0.4000", "0.5000", "0.6000", "0.7000", best]
    published = [row[12] for row in body(table_fragment(collect(one_seed, "table4")))]
    assert [cell.startswith(r"\textbf") for cell in published] == [False] * 7 + [True]


def test_spread_and_gaps(three_seeds: Path) -> None:
    for seed, value in enumerate((0.1, 0.2, 0.6)):
        edit_result(three_seeds, f"table4-row1-seed{seed}", "metrics.aji", value)
    for seed in range(3):
        fail(three_seeds, f"table4-row2-seed{seed}", "boom_1")
    fail(three_seeds, "table4-row4-seed1", "boom_2")
    fragment = table_fragment(collect(three_seeds, "table4"))
    rows = body(fragment)
    assert rows[0][7] == r"0.3000\,$\pm$\,0.2646"
    assert rows[1][7::2] == ["--$^{1}$"] * 4
    assert rows[3][7].endswith("$^{2}$")
    notes = fragment.split(r"\end{tabular}")[1]
    assert r"$^{1}$ failed: RuntimeError: boom\_" in notes
    assert "$^{2}$ 2 of 3 seeds: failed" in notes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b", r"a\_\allowbreak{}b"),
        ("50% & #1 {x} $y$", r"50\% \& \#1 \{x\} \$y\$"),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("a\nb\x00c", "a b c"),
        ("|DiC| ↓", r"\textbar{}DiC\textbar{} $\downarrow$"),
        ("é中", "é[U+4E2D]"),
    ],
)
def test_escape(text: str, expected: str) -> None:
    assert escape(text) == expected


needs_pdflatex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")


@needs_pdflatex
def test_the_document_compiles_and_prints_what_it_should(three_seeds: Path) -> None:
    fail(three_seeds, "table4-row5-seed0", "disc `full'\n\\undefined " + "".join(map(chr, range(33, 383))))
    write(three_seeds)
    text = compile_latex(three_seeds / "reports", "table4_document.tex")
    assert "0.8981" in text
    assert "\\undefined" in text


@needs_pdflatex
def test_hostile_names_print_as_they_are(one_seed: Path) -> None:
    for number in range(1, 9):
        edit_result(one_seed, f"table4-row{number}-seed0", "dataset.spec", HOSTILE)
    paths = write(one_seed)
    assert paths.segmentations.path is None
    text = "".join(compile_latex(one_seed / "reports", "table4_document.tex").split())
    assert "\\input{/etc/passwd}$x^2$100%#1&~é[U+20AC][U+4E2D]\\end{document}" in text
    assert "0.8981" in text


@needs_pdflatex
def test_the_fragment_fits_a_paper_of_two_columns(three_seeds: Path) -> None:
    write(three_seeds)
    folder = three_seeds / "reports"
    preamble = PREAMBLE.replace("10pt,a4paper", "10pt,twocolumn")
    paper = preamble + r"\begin{document}Text.\input{table4}\end{document}"
    (folder / "paper.tex").write_text(paper)
    compile_latex(folder, "paper.tex")
    assert "Overfull \\hbox" not in (folder / "paper.log").read_text(errors="replace")


def compile_latex(folder: Path, name: str) -> str:
    """The text of the one page; a TeX error fails the test with TeX's own words."""
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", name]
    run = subprocess.run(command, cwd=folder, capture_output=True, timeout=120)
    assert run.returncode == 0, run.stdout.decode(errors="replace")[-2000:]
    if shutil.which("pdftotext") is None:
        pytest.skip("compiled; pdftotext is not installed, so its text was not compared")
    pdf = Path(name).with_suffix(".pdf").name
    printed = subprocess.run(["pdftotext", pdf, "-"], cwd=folder, capture_output=True, check=True).stdout
    return printed.decode()

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from synthesis import edit_result, fail, synthesise_scores

from benchmarks.files import write_atomic
from benchmarks.plan.tables import list_tables
from reports.collect import collect
from reports.figures.records import FigureRecord
from reports.latex import PREAMBLE, combined_document, cost_fragment, escape, fragment_names, table_fragment
from reports.layout import Layout
from reports.published import PUBLISHED
from reports.table import ReportPaths, write_combined, write_table

HOSTILE = r"folder:/a_b/\input{/etc/passwd}$x^2$ 100% #1 & ~é€中\end{document}"


def write(out: Path, table: str = "table4") -> ReportPaths:
    return write_table(collect(out, table), out)


def body(fragment: str) -> list[list[str]]:
    lines = fragment.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    return [[cell.strip() for cell in line.removesuffix("[2pt]").removesuffix(r"\\").split("&")] for line in lines]


def test_columns_and_rows_are_the_papers(one_seed: Path) -> None:
    fragment = table_fragment(collect(one_seed, "table4"))
    with (PUBLISHED / "table4.csv").open() as stream:
        published = list(csv.reader(stream))[1:]
    rows = body(fragment)
    assert [["1" if cell else "0" for cell in row[:6]] for row in rows] == [line[:6] for line in published]
    assert {cell for row in rows for cell in row[:6]} == {r"\checkmark", ""}
    plain = [[re.sub(r"\\textbf\{(.*)\}", r"\1", cell) for cell in row[6::3]] for row in rows]
    assert plain == [line[6:] for line in published]
    headings = fragment.split(r"\toprule")[1].split(r"\midrule")[0]
    titles = re.findall(r"\\multicolumn\{3\}\{c\}\{(.*?)\}", headings)
    assert titles == [rf"{name} $\uparrow$" for name in ("AJI", "Dice", "F1", "PQ")]
    assert re.findall(r"cmidrule\(lr\)\{(.*?)\}", headings) == ["7-9", "10-12", "13-15", "16-18"]
    assert re.findall(r"scriptsize (\w+)", headings) == ["published", "measured", "difference"] * 4


def test_measured_figures_and_bold(one_seed: Path) -> None:
    for number in range(1, 9):
        edit_result(one_seed, f"table4-row{number}-seed0", "metrics.pq", 0.1 * number)
    edit_result(one_seed, "table4-row3-seed0", "metrics.pq", 0.8)
    rows = body(table_fragment(collect(one_seed, "table4")))
    best = r"\textbf{0.8000}"
    assert [row[16] for row in rows] == ["0.1000", "0.2000", best, "0.4000", "0.5000", "0.6000", "0.7000", best]
    assert [row[15].startswith(r"\textbf") for row in rows] == [False] * 7 + [True]
    assert rows[0][17] == r"{\scriptsize$-0.7011$}"  # 0.1 less the paper's 0.8011


def test_significant_figures_are_marked(tmp_path: Path) -> None:
    synthesise_scores(tmp_path, {"table4": {"full model": 0.1, "no components": 0.2}}, tables=["table4"])
    rows = body(table_fragment(collect(tmp_path, "table4")))[::2]
    marks = [row[7].partition(r"\rlap")[2] for row in rows]
    better, worse = (rf"{{\scriptsize\,$\black{shape}$}}" for shape in ("triangle", "triangledown"))
    assert marks == [better, *[worse] * 6, ""]


def test_spread_and_gaps(three_seeds: Path) -> None:
    for seed, value in enumerate((0.1, 0.2, 0.6)):
        edit_result(three_seeds, f"table4-row1-seed{seed}", "metrics.aji", value)
    for seed in range(3):
        fail(three_seeds, f"table4-row2-seed{seed}", "boom_1")
    fail(three_seeds, "table4-row4-seed1", "boom_2")
    fragment = table_fragment(collect(three_seeds, "table4"))
    rows = body(fragment)
    assert rows[0][7] == "0.3000"
    assert rows[1][:8] == [*[""] * 7, r"{\scriptsize$\pm$\,0.2646}"]  # below its mean
    assert rows[2][7::3] == [r"--\tnote{5}"] * 4
    assert rows[2][8::3] == ["--"] * 4
    assert rows[3][0] == r"\checkmark"  # without figures, no line of spreads
    assert rows[5][7].endswith(r"\tnote{6}")
    notes = fragment.split(r"\begin{tablenotes}")[1]
    assert r"\item[5] Row 2: failed: RuntimeError: boom\_" in notes
    assert r"\item[6] Row 4: 2 of 3 seeds: failed" in notes


def test_the_papers_layout_has_its_columns_and_order_and_measured_figures_alone(one_seed: Path) -> None:
    for number in range(1, 9):
        edit_result(one_seed, f"table4-row{number}-seed0", "metrics.pq", 0.1 * number)
    fragment = table_fragment(collect(one_seed, "table4"), Layout(paper=True, published="none"))
    rows = body(fragment)
    assert [len(row) for row in rows] == [6 + 4] * 8
    assert [row[9] for row in rows] == [*(f"0.{number}000" for number in range(1, 8)), r"\textbf{0.8000}"]
    assert r"\cmidrule" not in fragment and "triangle" not in fragment and "published" not in fragment


def test_published_figures_are_a_block_or_a_column_by_choice(three_seeds: Path) -> None:
    results = collect(three_seeds, "table4")
    block = table_fragment(results, Layout(paper=True, published="block"))
    measured, published = block.split(r"\emph{Measured}")[1].split(r"\emph{Published}")
    assert "0.8141" in published and "0.8141" not in measured
    assert measured.count(r"\pm") == 8 * 4
    column = table_fragment(results, Layout(paper=True, published="column"))
    assert [row[6::2] for row in body(column)][1] == ["0.7684", "0.9598", "0.9091", "0.8141"]


def test_rows_that_only_quote_the_paper_are_not_rows_of_dashes(methods: Path) -> None:
    results = collect(methods, "table1")
    fragment = table_fragment(results, Layout(paper=True, published="none"))
    quoted = re.compile(r"Mask R-\{\}CNN(?!-)")  # the row that the paper quotes, not ours of another backbone
    assert not quoted.search(fragment) and "quoted from the paper" not in fragment and "OSFormer" in fragment
    block = table_fragment(results, Layout(paper=True, published="block"))
    assert len(quoted.findall(block)) == 1 and block.count("OSFormer") == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b", r"a\_\allowbreak{}b"),
        ("50% & #1 {x} $y$", r"50\% \& \#1 \{x\} \$y\$"),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("a\nb\x00c", "a b c"),
        ("|DiC| ↓", r"\textbar{}DiC\textbar{} $\downarrow$"),
        ("é中", "é{[}U+4E2D{]}"),
        ("[x] *y*", "{[}x{]} {*}y{*}"),
        (",,,", ",{},{},"),
        ("τ_q = 2, τ_mask", r"$\tau_{q}$ = 2, $\tau$\_\allowbreak{}mask"),
    ],
)
def test_escape(text: str, expected: str) -> None:
    assert escape(text) == expected


ANY_TEXT = st.text(st.one_of(st.sampled_from("[]*\\\\{}$&#%_^~,'`\"<>|-/ \n\u4e2d"), st.characters(codec="utf-8")))


@given(ANY_TEXT)
def test_no_text_ends_a_cell_a_row_or_a_group(text: str) -> None:
    """Read as TeX does: commands, then what is special outside them."""
    escaped = escape(text)
    row = f"a \\\\\n{escaped} & b \\\\"
    assert not re.search(r"\\\\\s*[\[*]", row), "the end of a row takes a star or a bracket for its own"
    rest = re.sub(r"\$[^$]*\$", "", re.sub(r"\\(?:[a-zA-Z]+|.)", "", escaped))
    assert not set(rest) & set("$&#%_^~\\")
    depth = 0
    for letter in rest:
        depth += (letter == "{") - (letter == "}")
        assert depth >= 0
    assert depth == 0
    assert all(letter.isprintable() for letter in escaped)


def named(out: Path, label: str) -> str:
    """Table 1 with a row of label maps that somebody calls so."""
    results = collect(out, "table1")
    rows = tuple(
        replace(row, spec=row.spec.model_copy(update={"label": label})) if row.origin == "external" else row
        for row in results.rows
    )
    return table_fragment(replace(results, rows=rows))


@pytest.mark.parametrize("label", ["[x] 0.5", "*", "[2pt]", "\u4e2d", " [", "\n\n*"])
def test_a_label_never_belongs_to_the_row_above(methods: Path, label: str) -> None:
    lines = named(methods, label).splitlines()
    for above, line in pairwise(lines):
        if above.endswith((r"\\", r"\midrule", "[2pt]")):
            assert not line.lstrip().startswith(("[", "*"))


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
def test_any_label_compiles_as_the_first_of_a_row(methods: Path) -> None:
    labels = ["[x] 0.5", "*[1cm]", "[2pt]", "\u4e2d", ",,quoted''", "a]b[c", "".join(map(chr, range(32, 256)))]
    folder = methods / "reports"
    for number, label in enumerate(labels):
        write_atomic(folder / f"labelled{number}.tex", named(methods, label))
    body = "".join(rf"\input{{labelled{number}}}\clearpage" for number in range(len(labels)))
    (folder / "all.tex").write_text(PREAMBLE + rf"\begin{{document}}{body}\end{{document}}")
    text = compile_latex(folder, "all.tex")
    assert "[x] 0.5" in text and "*[1cm]" in text and "[U+4E2D]" in text and "a]b[c" in text


@needs_pdflatex
def test_the_fragment_fits_a_paper_of_two_columns(three_seeds: Path) -> None:
    write(three_seeds)
    folder = three_seeds / "reports"
    preamble = PREAMBLE.replace("10pt,a4paper", "10pt,twocolumn")
    paper = preamble + r"\begin{document}Text.\input{table4}\end{document}"
    (folder / "paper.tex").write_text(paper)
    compile_latex(folder, "paper.tex")
    assert "Overfull \\hbox" not in (folder / "paper.log").read_text(errors="replace")


def test_tables_come_first_then_figures_and_then_costs(tmp_path: Path) -> None:
    synthesise_scores(tmp_path, tables=["table3", "table4"], seeds=1, images=3)
    record = FigureRecord(name="figure4", title="Masks", caption="50 % of _all_.", picture="a.png", pdf="a.pdf")
    text = combined_document([collect(tmp_path, name) for name in ("table3", "table4")], [record])
    assert re.findall(r"\\(?:input|includegraphics\[.*?\])\{(.*?)\}", text) == [
        "table3.tex", "table4.tex", "a.pdf", "table3_costs.tex", "table4_costs.tex"
    ]  # fmt: skip
    assert r"\setcounter{figure}{3}" in text and escape(record.caption) in text
    assert r"\input" not in combined_document([])


def test_only_figures_whose_picture_is_there_are_in_the_document(tmp_path: Path) -> None:
    draw_a_figure(tmp_path, "figure3")
    draw_a_figure(tmp_path, "figure5")
    (tmp_path / "reports" / "figure5.pdf").unlink()
    (tmp_path / "figures" / "figure1").mkdir()
    (tmp_path / "figures" / "figure1" / "figure.json").write_text("{")
    text = write_combined([], tmp_path).read_text()
    assert re.findall(r"figure\d\.pdf", text) == ["figure3.pdf"]


@needs_pdflatex
def test_all_eight_tables_compile_into_one_document(tmp_path: Path) -> None:
    synthesise_scores(tmp_path)
    tables = [collect(tmp_path, name) for name in list_tables()]
    for results in tables:
        figures, costs = fragment_names(results)
        write_atomic(tmp_path / "reports" / figures, table_fragment(results))
        write_atomic(tmp_path / "reports" / costs, cost_fragment(results))
    for name in ("figure3", "figure5"):
        draw_a_figure(tmp_path, name)
    path = write_combined(tables, tmp_path)
    text = compile_latex(path.parent, path.name)
    log = path.with_suffix(".log").read_text(errors="replace")
    assert "Overfull" not in log
    assert "too large for page" not in log
    for number, results in enumerate(tables, 1):
        opening = " ".join(results.spec.caption.split()[:3])
        assert f"Table {number}: {opening}" in " ".join(text.split())
    for number in (3, 5):
        assert f"Figure {number}: Masks. 50 % of _all_." in " ".join(text.split())


def draw_a_figure(out: Path, name: str) -> None:
    """A figure's record and its picture as PDF."""
    record = {"name": name, "title": "Masks", "caption": "50 % of _all_.", "picture": f"{name}.png"}
    write_atomic(out / "figures" / name / "figure.json", json.dumps(record | {"pdf": f"{name}.pdf"}))
    (out / "reports").mkdir(exist_ok=True)
    Image.new("RGB", (90, 60)).save(out / "reports" / f"{name}.pdf")


def compile_latex(folder: Path, name: str) -> str:
    """Compile and return the text of the pages; a TeX error fails the test with TeX's own words."""
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", name]
    run = subprocess.run(command, cwd=folder, capture_output=True, timeout=120)
    assert run.returncode == 0, run.stdout.decode(errors="replace")[-2000:]
    if shutil.which("pdftotext") is None:
        pytest.skip("compiled; pdftotext is not installed, so its text was not compared")
    pdf = Path(name).with_suffix(".pdf").name
    printed = subprocess.run(["pdftotext", pdf, "-"], cwd=folder, capture_output=True, check=True).stdout
    return printed.decode()

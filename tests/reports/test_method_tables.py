"""Tables that compare methods: quoted, untrained, trained, missing and external rows side by side."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console
from synthesis import edit_result, fail, synthesise, write_run
from test_latex import compile_latex, needs_pdflatex

from benchmarks.errors import UserError
from benchmarks.plan.tables import load_table
from reports.cells import metric_columns
from reports.collect import collect
from reports.console import render_console
from reports.latex import table_fragment
from reports.notes import table_notes
from reports.table import ReportPaths, write_table

TRAINED = {
    14: "Discriminative", 15: "OSFormer", 16: "Mask2Former", 17: "PCTrans",
    18: "StarDist-ResNet", 19: "Cellpose-ResNet", 20: "Mask R-CNN-ResNet", 21: "EoMT",
}  # fmt: skip
PEERS = list(TRAINED.values())[4:]
UNTRAINED = ["Otsu + watershed", "Otsu + watershed, smoothed"]


def write(out: Path, table: str = "table1") -> ReportPaths:
    return write_table(collect(out, table), out)


def text(out: Path, table: str = "table1") -> str:
    return " ".join(note.text for note in table_notes(collect(out, table)))


def edit_run(out: Path, number: int, **changes: object) -> None:
    rows = json.loads((out / "runs" / "table1.json").read_text())["rows"]
    write_run(out, "table1", [row | changes if row["row"] == number else row for row in rows])


def latex_groups(fragment: str) -> list[list[list[str]]]:
    """List the cells of the lines between each two rules, after the heading."""
    table = fragment.split(r"\begin{tabular}")[2].split(r"\bottomrule")[0]
    return [
        [
            [cell.strip() for cell in line.removesuffix("[2pt]").removesuffix(r"\\").split("&")]
            for line in group.strip().splitlines()
        ]
        for group in table.split(r"\midrule")[1:]
    ]


def markdown_rows(paths: ReportPaths, heading: str) -> list[list[str]]:
    """List the cells of the table whose heading has this column."""
    lines = paths.markdown.read_text().splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("| #") and heading in line)
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_every_row_has_its_origin(methods: Path) -> None:
    rows = collect(methods, "table1").rows
    assert [row.origin for row in rows] == ["quoted"] * 11 + ["untrained"] * 2 + ["trained"] * 8 + ["external"]
    assert [len(row.results) for row in rows] == [0] * 11 + [1, 1] + [3] * 8 + [1]
    assert [row.method for row in rows[10:12]] == [None, "watershed"]
    assert (rows[21].number, rows[21].label, rows[21].published) == (22, "Else_where", {})
    assert collect(methods, "table1").gaps == []
    assert collect(methods, "table1").seeds == [0, 1, 2]


def test_a_run_without_the_later_fields_is_still_read(methods: Path) -> None:
    rows = json.loads((methods / "runs" / "table1.json").read_text())["rows"]
    write_run(methods, "table1", [{"row": row["row"], "keys": row["keys"]} for row in rows[:-1]])
    assert len(collect(methods, "table1").rows) == 21


def test_a_row_of_another_method_is_refused(methods: Path) -> None:
    edit_result(methods, "table1-row16-seed0", "job.method", "pctrans")
    with pytest.raises(UserError, match="run with pctrans, but row 'Mask2Former' of table1 belongs to mask2former"):
        collect(methods, "table1")


def test_a_job_in_a_quoted_row_is_refused(methods: Path) -> None:
    edit_run(methods, 17, row=1)
    with pytest.raises(UserError, match="row 'Mask R-CNN' of table1 only quotes the paper"):
        collect(methods, "table1")


@pytest.mark.parametrize("changes", [{"method": "pctrans"}, {"label": None}, {"row": 21}, {"row": 0}])
def test_a_row_beyond_the_table_has_to_be_external(methods: Path, changes: dict[str, object]) -> None:
    edit_run(methods, 22, **changes)
    with pytest.raises(UserError, match="but table1 has rows 1 to 21"):
        collect(methods, "table1")


def test_label_maps_made_elsewhere_are_found_where_a_shorter_table_had_them(methods: Path) -> None:
    """As in a run of before the table gained its rows 18 to 21."""
    rows = json.loads((methods / "runs" / "table1.json").read_text())["rows"]
    write_run(methods, "table1", [*rows[:-5], rows[-1] | {"row": 18}])
    found = collect(methods, "table1").rows
    assert [row.label for row in found[17:]] == [*PEERS, "Else_where"]
    assert [len(row.results) for row in found[17:]] == [0, 0, 0, 0, 1]


def test_caption_speaks_of_training_only_where_there_was_some(methods: Path) -> None:
    said = text(methods)
    assert "600 iterations a trained row;" in said
    assert "over seeds (0, 1, 2); the CSV has 95 % intervals over images. Untrained rows are run once." in said
    assert "Trained rows share data, split, crop, augmentation, batch" in said
    assert "iterations is 600, not 30000" in said and "backbone is resnet18, not resnet101;" in said


def test_figures_compare_although_untrained_rows_have_no_schedule(methods: Path) -> None:
    paper = {"dataset.spec": "bbbc039:/data", "dataset.decoding": "pea", "job.scale": "paper"}
    trained = {
        "cost.iterations": 30000,
        "job.testing.tile": 1024,
        "job.model.backbone": {"name": "resnet101", "pretrained": "microsoft/resnet-101"},
    }
    for result in collect(methods, "table1").results:
        is_trained = result.method not in ("watershed", "external")
        for path, value in (paper | (trained if is_trained else {})).items():
            edit_result(methods, result.key, path, value)
    assert "Data, decoding and schedule are those of the published figures." in text(methods)
    for number in TRAINED:
        for seed in range(3):
            fail(methods, f"table1-row{number}-seed{seed}", "x")
    said = text(methods)
    assert "Data and decoding are those of the published figures." in said
    assert "Nothing was trained, so nothing depends on a seed." in said
    assert "Trained rows share" not in said


def test_caption_names_what_rows_do_not_share(methods: Path) -> None:
    for seed in range(3):
        edit_result(methods, f"table1-row15-seed{seed}", "job.training.iterations", 300)
    fail(methods, "table1-row14-seed1", "x")
    said = text(methods)
    assert "Rows are NOT equal in: " in said
    peers = ", ".join(["PCTrans", *PEERS])
    assert f"training.iterations is 600 (Discriminative, Mask2Former, {peers}) and 300 (OSFormer)" in said
    assert f"seeds is [0, 2] (Discriminative) and [0, 1, 2] (OSFormer, Mask2Former, {peers})" in said
    assert "Trained rows share" not in said


def test_caption_admits_jobs_it_cannot_compare(methods: Path) -> None:
    edit_result(methods, "table1-row15-seed0", "job.training", {})
    edit_result(methods, "table1-row15-seed0", "job.testing", {"of": "a later version"})
    assert "cannot be checked: job table1-row15-seed0 was made by another version." in text(methods)


def test_latex_lines_by_hand(methods: Path) -> None:
    for seed, value in enumerate((0.1, 0.2, 0.6)):
        edit_result(methods, f"table1-row17-seed{seed}", "metrics.pq", value)
    for seed in range(3):
        fail(methods, f"table1-row15-seed{seed}", "x")
    fragment = table_fragment(collect(methods, "table1"))
    assert r"\begin{tabular}{l" + 12 * "r" + "}" in fragment
    quoted, run, apart, external = latex_groups(fragment)
    assert [line[0] for line in quoted][:2] == [r"Mask R-{}CNN$^{\dagger}$", r"Cell R-{}CNN$^{\dagger}$"]
    assert quoted[9][1:] == ["0.8674", "--", "--", "0.9473", "--", "--", "--", "--", "--", "0.8420", "--", "--"]
    assert [line[0] for line in run if line[0]] == [
        *(rf"{label}$^{{\ddagger}}$" for label in UNTRAINED),
        *list(TRAINED.values())[:4],
    ]
    assert [line[0] for line in apart if line[0]] == [
        r"StarDist-{}ResNet", r"Cellpose-{}ResNet", r"Mask R-{}CNN-{}ResNet", "EoMT",
    ]  # fmt: skip
    none = [r"--\tnote{4}", "--"]
    assert run[4][1:] == ["0.7414", *none, "0.9206", *none, "0.8755", *none, "0.7516", *none]
    assert run[7][10:] == [r"\textbf{0.8922}", "0.3000", r"{\scriptsize$-0.5922$}"]
    assert run[8][:1] + run[8][10:] == ["", "", r"{\scriptsize$\pm$\,0.2646}", ""]
    assert [line[0] for line in external] == [r"Else\_\allowbreak{}where$^{\S}$"]
    assert re.findall(r"cmidrule\(lr\)\{(.*?)\}", fragment) == ["2-4", "5-7", "8-10", "11-13"]
    below = fragment.split(r"\begin{tablenotes}")[1]
    for line in ("{\\dagger}$] quoted from the paper, not run here.", "ddagger}$] no training.", "not trained here."):
        assert below.count(line) == 1


def test_markdown_figures_and_costs(methods: Path) -> None:
    edit_result(methods, "table1-row17-seed2", "cost.peak_memory_bytes", 3 * 2**30)
    paths = write(methods)
    figures = markdown_rows(paths, "published")
    assert figures[0][:8] == ["1", "Mask R-CNN†", "0.7983", "-", "-", "0.9277", "-", "-"]
    assert [row[1] for row in figures[11:]] == [
        *(f"{label}‡" for label in UNTRAINED),
        *TRAINED.values(),
        r"Else\_where§",
    ]
    costs = markdown_rows(paths, "parameters")
    assert costs[0] == ["12", "Otsu + watershed", "0", "-", "0", "0", "-", "0.250", "1.00"]
    assert costs[5] == ["17", "PCTrans", "1,000,000", "21.50", "600", "240", "0.400", "0.250", "3.00"]
    assert [row[0] for row in costs] == [str(number) for number in range(12, 22)]
    assert "‡ no training. § label maps made elsewhere, not trained here." in paths.markdown.read_text()


def test_latex_has_the_same_costs(methods: Path) -> None:
    paths = write(methods)
    lines = [line for line in paths.costs.read_text().splitlines() if line.endswith(r"\\")]
    assert lines[0].startswith(r"\# & method & parameters & GFLOP")
    assert lines[6] == r"17 & PCTrans & 1,000,000 & 21.50 & 600 & 240 & 0.400 & 0.250 & 1.00 \\"
    assert len(lines) == 1 + 10
    assert rf"\input{{{paths.costs.name}}}" in paths.document.read_text()


def test_frame_has_origin_method_and_no_cost_of_what_was_made_elsewhere(methods: Path) -> None:
    frame = pd.read_csv(write(methods).csv)
    assert frame["origin"].tolist() == ["quoted"] * 11 + ["untrained"] * 2 + ["trained"] * 8 + ["external"]
    assert frame["method"][11:].tolist() == [
        "watershed", "watershed", "discriminative", "osformer", "mask2former", "pctrans", "stardist",
        "cellpose", "maskrcnn", "eomt", "external"
    ]  # fmt: skip
    assert frame["flops_per_crop"][16] == 21_500_000_000
    assert frame.loc[21, ["parameters", "iterations", "train_seconds", "seconds_per_image"]].isna().all()
    assert frame.loc[11, ["parameters", "iterations", "train_seconds"]].tolist() == [0, 0, 0]
    assert frame["gaps"].isna().all()


def test_console_marks_rows_and_explains_marks(methods: Path) -> None:
    console = Console(file=io.StringIO(), width=120)
    console.print(render_console(collect(methods, "table1")))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(label in shown for label in ("BISSG†", "Otsu + watershed‡", "Else_where§", "† quoted from the paper"))


def test_panels_are_of_rows_that_were_run(methods: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    titles: list[str] = []
    monkeypatch.setattr("matplotlib.axes.Axes.set_title", lambda axes, title, **_: titles.append(title))
    fail(methods, "table1-row15-seed0", "x")
    for seed in (1, 2):
        fail(methods, f"table1-row15-seed{seed}", "x")
    paths = write(methods)
    numbers = [title.partition(":")[0] for title in titles]
    shown = [str(number) for number in range(12, 23) if number != 15]
    assert numbers == ["image", "truth\n10 objects", *shown, "14", *map(str, range(16, 22))]
    assert "Without a result: OSFormer." in paths.segmentations.caption
    assert "Without curves: OSFormer." in paths.learning.caption
    assert paths.segmentations.path is not None
    with Image.open(paths.segmentations.path) as picture:
        assert picture.height == pytest.approx((3 * (1.75 + 0.36) + 0.3) * 250, abs=1)


def test_an_external_row_of_an_ablation_spans_the_switches(tmp_path: Path, data: str) -> None:
    synthesise(tmp_path, data, external=["Else_where"])
    ours, external = latex_groups(table_fragment(collect(tmp_path, "table4")))
    assert len(ours) == 8
    assert external[0][0] == r"\multicolumn{6}{l}{Else\_\allowbreak{}where$^{\S}$}"
    assert len(external[0]) == 1 + 12
    assert "run once" not in text(tmp_path, "table4")
    paths = write(tmp_path, "table4")
    assert markdown_rows(paths, "published")[8][:9] == ["9", r"Else\_where§", *[""] * 6, "-"]
    assert pd.read_csv(paths.csv).loc[8, "dynamic_filters":"mcc"].isna().all()  # type: ignore[misc]


def test_figures_are_printed_in_the_papers_unit_and_kept_in_the_metrics_own(tmp_path: Path, data: str) -> None:
    synthesise(tmp_path, data, table="table2")
    edit_result(tmp_path, "table2-row13-seed0", "metrics.sbd", 0.88749)
    edit_result(tmp_path, "table2-row12-seed0", "metrics.sbd", 0.88651)
    for row in (10, 11, 14, 15):
        edit_result(tmp_path, f"table2-row{row}-seed0", "metrics.sbd", 0.1)
    results = collect(tmp_path, "table2")
    sbd, count = metric_columns(results)
    assert sbd.published[0] == "68.3"
    assert sbd.measured[10:13] == ("10.0", "88.7", "88.7")
    assert sbd.best_measured == {11, 12}  # equal as printed
    assert all(re.fullmatch(r"\d+\.\d\d", figure) for figure in count.measured if figure)
    frame = pd.read_csv(write(tmp_path, "table2").csv)
    assert frame["sbd_published"][0] == 0.683
    assert frame["sbd_mean"][12] == 0.88749
    assert frame["sbd_difference"][12] == pytest.approx(0.88749 - 0.887)
    assert frame["abs_dic_published"][0] == 3.8
    assert np.isnan(frame["sbd_mean"][0])
    assert "10.0" in table_fragment(results)


@needs_pdflatex
@pytest.mark.parametrize("table", ["table1", "table2"])
def test_the_document_of_methods_compiles(tmp_path: Path, data: str, table: str) -> None:
    synthesise(tmp_path, data, table=table, external=["Else_where"])
    write(tmp_path, table)
    printed = compile_latex(tmp_path / "reports", f"{table}_document.tex")
    assert "Else_where" in printed
    assert "quoted from the paper, not run here" in printed
    assert load_table(table).rows[0].label in printed
    assert "Overfull \\hbox" not in (tmp_path / "reports" / f"{table}_document.log").read_text(errors="replace")

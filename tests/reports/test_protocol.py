"""Sensitivity to the protocol: figures by hand, results on disk, and the command."""

from __future__ import annotations

import hashlib
import json
import statistics
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image
from synthesis import edit_result, fail, synthesise, write_folder_dataset
from typer.testing import CliRunner, Result

from benchmarks.cli import app
from benchmarks.errors import UserError
from benchmarks.plan.tables import Display
from benchmarks.protocol import choose
from reports.collect import collect
from reports.protocol import families, protocol_document, rescore_table
from reports.protocol.sensitivity import Family, RowFigures
from reports.protocol.sentences import summary


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def family(metric: str, rows: dict[int, dict[str, float]], reference: int = 8) -> Family:
    """Make a family from row number -> variant -> figure; variants that are not given equal this project's own."""
    choice = choose(data="cells", decoding="ids", decodings=("ids",), protocol="nuclei")
    variants = tuple(variant for variant in choice.variants if metric in variant.metrics)
    fair = tuple(variant.name for variant in variants if not variant.leak)
    figures = {
        number: RowFigures(
            number, f"row {number}", 3, {v.name: values.get(v.name, values["own"]) for v in variants}, fair
        )
        for number, values in rows.items()
    }
    return Family(metric, variants, tuple(figures.values()), figures.get(reference))


AJI = {
    3: {"own": 0.70, "aji_plus": 0.69, "aji_pea": 0.60, "released": 0.60, "foreground": 0.90},
    5: {"own": 0.76, "aji_plus": 0.77, "aji_pea": 0.75, "released": 0.75, "foreground": 0.80},
    8: {"own": 0.80, "aji_plus": 0.79, "aji_pea": 0.74, "released": 0.74, "foreground": 0.95},
}


def test_spreads_and_ranges_by_hand() -> None:
    found = family("aji", AJI)
    # Without the leak: 0.70 - 0.60, 0.77 - 0.75, 0.80 - 0.74.
    assert [row.spread for row in found.rows] == pytest.approx([0.10, 0.02, 0.06])
    assert [difference.other.number for difference in found.differences] == [3, 5]
    rival = found.rival
    assert rival is not None and rival.other.number == 5
    assert rival.own == pytest.approx(0.04)
    assert (rival.lowest, rival.highest) == ("aji_pea", "own")
    assert rival.values["aji_pea"] == pytest.approx(-0.01)
    # The reference moves by 0.06, the other by 0.01 at most.
    assert (rival.moved[1], *rival.moved[:1], rival.share) == ("aji_pea", pytest.approx(0.06), pytest.approx(1.5))


def test_rows_that_change_places_by_hand() -> None:
    swaps = {(swap.better.number, swap.worse.number): swap.variants for swap in family("aji", AJI).swaps}
    assert swaps == {(8, 5): ("aji_pea", "released"), (5, 3): ("foreground",)}


def test_fewer_is_better_where_counts_are_wrong_by() -> None:
    found = family("abs_dic", {3: {"own": 2.0, "foreground": 0.5}, 5: {"own": 4.0}, 8: {"own": 1.0}})
    rival = found.rival
    assert rival is not None and rival.other.number == 3
    assert rival.own == -1
    assert [(swap.better.number, swap.worse.number) for swap in found.swaps] == [(8, 3)]


def test_equal_figures_are_no_change_of_places() -> None:
    found = family("pq", {3: {"own": 0.5, "pooled": 0.6}, 5: {"own": 0.5}, 8: {"own": 0.7, "pooled": 0.6}})
    assert found.swaps == []
    equal = family("pq", {5: {"own": 0.5, "pooled": 0.4}, 8: {"own": 0.5}})
    assert equal.rival is not None
    assert equal.rival.share is None
    assert "of the difference" not in summary(equal, Display())


def test_the_summary_says_it_in_one_line() -> None:
    assert summary(family("aji", AJI), Display(digits=2)) == (
        "AJI: 'row 8' − 'row 5' is +0.04 by this project's protocol, -0.01 (PEA's AJI) to +0.04 (own) over variants; "
        "protocol moves a figure of these two rows by up to 0.06 (PEA's AJI), 150% of the difference. Masked (leak): "
        "+0.15. Rows that change places: 5 and 3 (masked (leak)); 8 and 5 (PEA's AJI, as "
        "released)."
    )
    steady = summary(family("dice", {5: {"own": 0.5}, 8: {"own": 0.7}}), Display(factor=100, digits=1))
    assert steady.startswith("Dice: 'row 8' − 'row 5' is +20.0, and every variant gives both rows the same figures.")
    alone = family("dice", {5: {"own": 0.5}, 6: {"own": 0.6}}, reference=8)
    assert summary(alone, Display()).startswith("Dice: no difference, for want of")


def test_own_figures_are_those_of_the_table(three_seeds: Path) -> None:
    results = collect(three_seeds, "table4")
    table = rescore_table(results, three_seeds)
    assert not table.problems
    for found in families(table):
        assert [row.seeds for row in found.rows] == [3] * 8
        expected = [statistics.fmean(row.measured(found.metric)) for row in results.rows]
        assert [row.own for row in found.rows] == pytest.approx(expected, abs=1e-12)
    assert [found.metric for found in families(table)] == ["aji", "dice", "f1", "pq", "sbd", "abs_dic"]


def test_nothing_but_the_reports_is_written(three_seeds: Path) -> None:
    def contents() -> dict[Path, str]:
        files = (path for path in sorted(three_seeds.rglob("*")) if path.is_file())
        return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    before = contents()
    assert invoke("protocol", "table4", "--out", three_seeds).exit_code == 0
    after = contents()
    names = {path.name for path in set(after) - set(before)}
    assert names == {"table4_protocol.md", "table4_protocol.csv"}
    assert {path: after[path] for path in before} == before


def test_jobs_that_cannot_be_scored_again_are_left_out_and_said_so(three_seeds: Path) -> None:
    folder = three_seeds / "jobs"
    gone, damaged, changed = (folder / f"table4-row{row}-seed1" / "predictions/disc_2.tif" for row in (1, 2, 3))
    gone.unlink()
    damaged.write_bytes(damaged.read_bytes()[:200])
    labels = tifffile.imread(changed)
    labels[tuple(np.argwhere(labels > 0)[0])] = 0
    tifffile.imwrite(changed, labels)
    edit_result(three_seeds, "table4-row4-seed1", "dataset.split", "val")
    edit_result(three_seeds, "table4-row6-seed1", "images", [])
    for seed in (0, 1):
        fail(three_seeds, f"table4-row5-seed{seed}", "out of memory")

    result = invoke("protocol", "table4", "--out", three_seeds, "--json", three_seeds / "found.json")
    assert result.exit_code == 1
    found = json.loads((three_seeds / "found.json").read_text())
    assert [row["seeds"] for row in found["metrics"]["pq"]["rows"]] == [2, 2, 2, 2, 1, 2, 3, 3]
    jobs = "jobs table4-row5-seed0, table4-row5-seed1"
    assert found["missing"] == [
        f"Row 5 (+ discriminative loss): 1 of 3 seeds: failed: RuntimeError: out of memory ({jobs})."
    ]
    reasons = dict(zip((1, 2, 3, 4, 6), found["problems"], strict=True))
    for row, reason in reasons.items():
        assert f"job table4-row{row}-seed1 is left out" in reason
    assert "disc_2.tif" in reasons[1] and "disc_2.tif" in reasons[2]
    assert "of image disc_2 is" in reasons[3] and "changed since" in reasons[3]
    assert "other data, decoding or split" in reasons[4]
    assert "in only one of result.json" in reasons[6]
    page = (three_seeds / "reports" / "table4_protocol.md").read_text()
    for text in (" ".join(result.output.split()), page):
        assert "table4-row3-seed1 is left out" in text
        assert "out of memory" in text


def test_truth_that_changed_is_noticed(tmp_path: Path) -> None:
    data = write_folder_dataset(tmp_path / "discs")
    out = synthesise(tmp_path / "out", data)
    path = tmp_path / "discs" / "labels" / "disc_3.png"
    labels = np.array(Image.open(path))
    labels[:20] = 0
    Image.fromarray(labels).save(path)
    result = invoke("protocol", "table4", "--out", out)
    assert isinstance(result.exception, UserError)
    assert "can be scored again" in str(result.exception) and "image disc_3" in str(result.exception)


def test_what_there_is_nothing_of(three_seeds: Path, tmp_path: Path) -> None:
    for row in range(1, 9):
        for seed in range(3):
            fail(three_seeds, f"table4-row{row}-seed{seed}", "x")
    with pytest.raises(UserError, match="No job of table4 is finished"):
        rescore_table(collect(three_seeds, "table4"), three_seeds)
    out = synthesise(tmp_path / "out", write_folder_dataset(tmp_path / "discs"))
    (tmp_path / "discs").rename(tmp_path / "moved")
    with pytest.raises(UserError, match=r"was tested on folder:.*truth is needed again"):
        rescore_table(collect(out, "table4"), out)


def test_every_figure_is_in_the_csv(methods: Path) -> None:
    result = invoke("protocol", "table1", "--out", methods)
    assert result.exit_code == 0
    frame = pd.read_csv(methods / "reports" / "table1_protocol.csv")
    assert list(frame) == ["row", "label", "seed", "job", "image", "variant", "metric", "value"]
    # Eight trained rows with three seeds, two without training and one from elsewhere with one each.
    assert frame["job"].nunique() == 27
    own = frame[(frame["variant"] == "own") & (frame["metric"] == "pq")]
    assert sorted(own["image"].unique()) == ["disc_2", "disc_3", "disc_4"]
    assert len(own) == 27 * 3
    pooled = frame[frame["variant"] == "pooled"]
    assert set(pooled["image"]) == {"pooled"}
    assert len(pooled) == 27 * 5
    means = own.groupby("row")["value"].mean()
    measured = {row.number: statistics.fmean(row.measured("pq")) for row in collect(methods, "table1").rows[11:]}
    assert means.to_dict() == pytest.approx(measured)


def test_the_page_and_the_terminal_show_rows_by_variants(methods: Path) -> None:
    output = invoke("protocol", "table1", "--out", methods).output
    page = (methods / "reports" / "table1_protocol.md").read_text()
    table = rescore_table(collect(methods, "table1"), methods)
    for found in families(table):
        sentence = summary(found, table.spec.shown(found.metric))
        assert " ".join(sentence.split()) in " ".join(output.split())
        assert f"\n## {found.title.replace('|', chr(92) + '|')}\n" in page
    # Label maps made elsewhere, whose name is hostile to Markdown, are a row like any other.
    pea = next(line for line in page.splitlines() if line.startswith("| 22") and "Else\\_where" in line)
    aji = next(found for found in families(table) if found.metric == "aji")
    assert [cell.strip() for cell in pea.split("|")[4:-2]] == [f"{v:.4f}" for v in aji.rows[-1].values.values()]
    assert "official truth: does not apply: labels of discs hold ids" in output
    assert "PEA's truth does not apply" in page


def write_bbbc039(root: Path) -> None:
    """Masks as in BBBC039 hold neighbours in two colours, corners that touch in one, and a speck."""
    rng = np.random.default_rng(1)
    for name in ("images", "masks", "metadata"):
        (root / name).mkdir(parents=True)
    for split, count in (("training", 1), ("validation", 1), ("test", 3)):
        stems = [f"{split}{index}" for index in range(count)]
        (root / "metadata" / f"{split}.txt").write_text("\n".join(f"{stem}.png" for stem in stems))
        for stem in stems:
            mask = np.zeros((60, 70, 4), np.uint8)
            mask[5:20, 5:20, 0], mask[5:20, 20:35, 0] = 1, 2
            mask[30:40, 5:15, 0], mask[40:50, 15:25, 0] = 1, 1
            mask[50:53, 50:53, 0], mask[..., 3] = 3, 255
            Image.fromarray(mask).save(root / "masks" / f"{stem}.png")
            tifffile.imwrite(root / "images" / f"{stem}.tif", rng.integers(120, 4096, (60, 70)).astype(np.uint16))


@pytest.mark.parametrize("own", ["pea", "official"])
def test_both_decodings_of_bbbc039(tmp_path: Path, own: str) -> None:
    write_bbbc039(tmp_path / "bbbc")
    spec = f"bbbc039:{tmp_path / 'bbbc'}?decoding={own}"
    out = synthesise(tmp_path / "out", spec)
    for path in (out / "jobs").iterdir():
        for name in ("dataset.decoding", "job.data.decoding"):
            edit_result(out, path.name, name, own)
    document = protocol_document(rescore_table(collect(out, "table4"), out))
    other = {"pea": "decoding_official", "official": "decoding_pea"}[own]
    assert other in [variant["name"] for variant in document["variants"]]
    assert document["not_applicable"] == []
    rows = document["metrics"]["f1"]["rows"]
    assert any(row["values"][other] != row["values"]["own"] for row in rows)
    released = [row["values"]["released"] for row in rows]
    assert released == [row["values"]["own" if own == "pea" else other] for row in rows]

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.errors import UserError
from reports.collect import collect
from reports.learning import Curves, RowLearning, read_learning
from reports.learning_picture import draw_learning
from reports.table import write_table

NONE = (np.array([]), np.array([]))


def row(*losses: np.ndarray, every: int = 1) -> RowLearning:
    """Make a row with a seed for each sequence of losses, recorded every so many iterations."""
    curves = (Curves(every * len(loss), (every * np.arange(1, len(loss) + 1), loss), NONE) for loss in losses)
    return RowLearning(1, "row", tuple(curves))


def test_windows_by_hand() -> None:
    """In 100 iterations with loss = iteration, the 10 % that end at 50 % are 41 to 50, with mean 45.5."""
    falling = row(np.arange(1.0, 101))
    assert [falling.loss_at(share) for share in (0.1, 0.5, 0.9, 1.0)] == [5.5, 45.5, 85.5, 95.5]
    assert row(np.arange(1.0, 101), np.full(100, 4.5)).loss_at(0.5) == 25


def test_smooth_loss_against_a_loop() -> None:
    rng = np.random.default_rng(0)
    iterations, losses = np.arange(7, 700, 7), rng.random(99)
    expected = [losses[(iterations > at - 70) & (iterations <= at)].mean() for at in iterations]
    np.testing.assert_allclose(Curves(700, (iterations, losses), NONE).smooth_loss, expected)


def test_change_and_error_by_hand() -> None:
    """Windows (10, 14) and (5, 7) have means 12 and 6, a change of -50 %; their standard errors are 2 and 1.

    That of the ratio is sqrt(1² + (0.5 · 2)²) / 12.
    """
    losses = np.full(20, 9.0)
    losses[14:16], losses[18:20] = (10, 14), (5, 7)
    change = row(losses).change
    assert change is not None
    assert change.value == pytest.approx(-0.5)
    assert change.error == pytest.approx(np.sqrt(2) / 12)
    assert str(change) == "-50.0 % ± 11.8 %"
    twice = row(losses, losses).change  # two seeds: the error falls by sqrt(2)
    assert twice is not None
    assert twice.error == pytest.approx(change.error / np.sqrt(2))


@pytest.mark.parametrize(
    ("end", "noise", "verdict"),
    [
        (1.0, 0.01, "converged"),
        (0.97, 0.001, "converged"),
        (0.9, 0.01, "not converged"),
        (1.1, 0.01, "not converged"),  # a loss that rises has not converged either
        (0.95, 0.01, "undecided"),
        (1.0, 0.5, "undecided"),
    ],
)
def test_verdict(end: float, noise: float, verdict: str) -> None:
    losses = 5 + 5 * noise * np.tile([-1.0, 1.0], 50)
    losses[90:] *= end
    assert row(losses).verdict == verdict


def test_the_error_is_the_scatter_of_the_mean() -> None:
    """The error agrees with the scatter of the change over many curves of the same distribution."""
    rng = np.random.default_rng(0)
    changes = [row(3 + rng.normal(0, 0.3, 200)).change for _ in range(2000)]
    values, errors = zip(*((change.value, change.error) for change in changes if change), strict=True)
    assert np.std(values) == pytest.approx(np.mean(errors), rel=0.05)


def test_too_few_points_decide_nothing() -> None:
    short = row(np.array([4.0, 3, 2, 1]))
    assert (short.change, short.verdict) == (None, "undecided")
    assert short.loss_at(0.9) is None
    assert row(np.zeros(100)).change is None


def test_reads_the_curves_of_trained_rows(methods: Path) -> None:
    job = methods / "jobs" / "table1-row17-seed1"
    (job / "validation.csv").write_text("iteration,epoch,pq\n300,1,0.5\n600,2,0.75\n")
    for seed in (0, 2):
        (methods / "jobs" / f"table1-row17-seed{seed}" / "validation.csv").write_text("iteration,epoch,pq\n600,2,0.3\n")
    rows = read_learning(collect(methods, "table1"), methods)
    assert [row.number for row in rows] == [14, 15, 16, 17, 18, 19, 20, 21]
    assert [len(row.curves) for row in rows] == [3] * 8
    assert rows[3].validation_pq == {300: 0.5, 600: pytest.approx(0.45)}
    assert rows[3].curves[1].loss[0].tolist() == list(range(10, 601, 10))


def test_the_report_says_how_low_the_loss_came(methods: Path) -> None:
    for seed in range(3):
        lines = [f"{at},{8 if at <= 480 else 4 + at / 1e6}" for at in range(10, 601, 10)]
        path = methods / "jobs" / f"table1-row17-seed{seed}" / "losses.csv"
        path.write_text("\n".join(["iteration,loss", *lines, ""]))
    paths = write_table(collect(methods, "table1"), methods)
    learning = paths.markdown.read_text().split("## Learning")[1].split("##")[0]
    line = next(line for line in learning.splitlines() if line.startswith("| 17"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[:7] == ["17", "PCTrans", "8.000", "4.001", "4.001", "-50.0 % ± 0.0 %", "not converged"]
    assert "not converged: PCTrans" in paths.learning.caption
    assert "two standard errors" in learning


def test_terms_with_a_floor_are_not_judged(methods: Path) -> None:
    """PCTrans' total falls by 15 % (26 to 22) on a contrast that stays at 18, but what can fall to zero halves."""
    for seed in range(3):
        lines = [f"{at},{26 if at <= 480 else 22},{8 if at <= 480 else 4},12,6" for at in range(10, 601, 10)]
        text = "\n".join(["iteration,loss,mask_bce,query_contrast,mask_contrast", *lines, ""])
        for row in (15, 17):
            (methods / "jobs" / f"table1-row{row}-seed{seed}" / "losses.csv").write_text(text)
    rows = {row.number: row for row in read_learning(collect(methods, "table1"), methods)}
    assert (rows[17].loss_at(0.5), rows[17].loss_at(1.0)) == (8, 4)
    assert str(rows[17].change) == "-50.0 % ± 0.0 %"
    assert (rows[15].loss_at(0.5), rows[15].loss_at(1.0)) == (26, 22)  # a method that declares no floor


def test_picture_has_a_panel_a_row(methods: Path, tmp_path: Path) -> None:
    results = collect(methods, "table1")
    draw_learning(results, read_learning(results, methods), tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.width == pytest.approx(3 * 2.9 * 200, abs=1)
        assert picture.height == pytest.approx((3 * 2.07 + 0.3) * 200, abs=1)


def test_losses_below_zero_are_drawn(methods: Path, tmp_path: Path) -> None:
    below = row(np.linspace(1, -1, 100))
    draw_learning(collect(methods, "table1"), [below], tmp_path / "picture.png")
    assert (tmp_path / "picture.png").exists()


def test_without_curves_everything_but_the_picture(one_seed: Path) -> None:
    for path in one_seed.glob("jobs/*/losses.csv"):
        path.unlink()
    paths = write_table(collect(one_seed, "table4"), one_seed)
    assert paths.learning.path is None
    assert "No learning curves" in paths.markdown.read_text()
    assert "learning.png" not in paths.document.read_text()
    assert not (one_seed / "reports" / "table4_learning.png").exists()


def test_a_damaged_curve_is_named(one_seed: Path) -> None:
    path = one_seed / "jobs" / "table4-row1-seed0" / "losses.csv"
    path.write_text("iteration,loss\n10,much\n")
    results = collect(one_seed, "table4")
    with pytest.raises(UserError, match=r"row1-seed0/losses\.csv is damaged"):
        read_learning(results, one_seed)
    assert "is damaged" in write_table(results, one_seed).learning.caption

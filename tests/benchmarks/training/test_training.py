"""Training resumes exactly, stops on a loss that is not finite, and follows its schedule."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from benchmarks.augmentation import NUCLEI
from benchmarks.data import Dataset, open_dataset
from benchmarks.errors import UserError
from benchmarks.plan.settings import TrainingSettings
from benchmarks.store.job_folder import JobFolder
from benchmarks.training import NonFiniteLossError, train
from benchmarks.training.batches import BatchSource, derived_seed
from benchmarks.training.loop import training_step
from benchmarks.training.optimisation import build_optimiser, learning_rate

CPU = torch.device("cpu")
SETTINGS = TrainingSettings(
    iterations=9,
    batch_size=2,
    crop=32,
    learning_rate=1e-2,
    warmup_iterations=2,
    log_every=1,
    checkpoint_every=2,
    validate_every=4,
)


class Toy(nn.Module):
    """A segmenter with batch norm, dropout and random points: everything that a resume could get wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(0.3))
        self.head = nn.Conv2d(4, 1, 1)
        self.fail_at: int | None = None
        self.calls = 0

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        self.calls += 1
        logits = self.head(self.backbone(images).relu())[:, 0]
        keep = torch.rand_like(logits) > 0.5
        bce = nn.functional.binary_cross_entropy_with_logits(logits, (labels > 0).float(), reduction="none")
        loss = (bce * keep).mean()
        return {"bce": loss * float("nan") if self.calls == self.fail_at else loss}

    def segment(self, images: Tensor) -> Tensor:
        return (self.head(self.backbone(images).relu())[:, 0] > 0).long()


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return open_dataset("synthetic-nuclei?size=64&train=3&val=1&test=1")


def source(dataset: Dataset, seed: int = 0) -> BatchSource:
    return BatchSource(dataset, batch_size=2, crop=32, augmentation=NUCLEI, seed=seed)


def fresh() -> Toy:
    torch.manual_seed(derived_seed(0, "weights"))
    return Toy()


class Killed(BaseException):
    """Stands for a SIGKILL: nothing catches it and nothing is tidied up."""


def trained(
    dataset: Dataset, folder: Path, kill_after: tuple[int, ...] = (), settings: TrainingSettings = SETTINGS
) -> Toy:
    for last in kill_after:

        def progress(done: int, *_: object, last: int = last) -> None:
            if done == last:
                raise Killed

        with pytest.raises(Killed):
            train(fresh(), source(dataset), settings, seed=0, folder=JobFolder(folder), device=CPU, progress=progress)
    model = fresh()
    train(
        model,
        source(dataset),
        settings,
        seed=0,
        folder=JobFolder(folder),
        device=CPU,
        validate=lambda m: {"pq": sum(p.sum().item() for p in m.parameters())},
    )
    return model


@pytest.mark.parametrize("weight_average", [None, 0.9])
@pytest.mark.parametrize("kill_after", [(3,), (1, 5, 7), (8,)])
def test_a_killed_run_ends_in_the_same_weights(
    dataset: Dataset, tmp_path: Path, kill_after: tuple, weight_average: float | None
) -> None:
    settings = SETTINGS.model_copy(update={"weight_average": weight_average})
    undisturbed = trained(dataset, tmp_path / "a", settings=settings)
    resumed = trained(dataset, tmp_path / "b", kill_after, settings)
    for (name, expected), actual in zip(undisturbed.state_dict().items(), resumed.state_dict().values(), strict=True):
        assert torch.equal(expected, actual), name
    curves = []
    for folder in ("a", "b"):
        rows = list(csv.DictReader((tmp_path / folder / "losses.csv").open()))
        curves.append([(row["iteration"], row["bce"], row["learning_rate"]) for row in rows])
    assert curves[0] == curves[1]
    assert [row[0] for row in curves[0]] == [str(i) for i in range(1, 10)]


def test_a_finished_run_is_not_trained_further(dataset: Dataset, tmp_path: Path) -> None:
    expected = trained(dataset, tmp_path)
    model = fresh()
    train(model, source(dataset), SETTINGS, seed=0, folder=JobFolder(tmp_path), device=CPU)
    assert model.calls == 0
    assert torch.equal(model.head.weight, expected.head.weight)


def test_the_moving_average_is_what_is_validated_and_kept(dataset: Dataset, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"weight_average": 0.9})
    steps: list[dict[str, Tensor]] = []
    validated: list[dict[str, Tensor]] = []
    model = fresh()

    def copy(of: nn.Module) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in of.state_dict().items()}

    train(
        model, source(dataset), settings.model_copy(update={"validate_every": 9}), seed=0, device=CPU,
        folder=JobFolder(tmp_path),
        progress=lambda *_: steps.append(copy(model)), validate=lambda m: validated.append(copy(m)) or {"pq": 0.0},
    )  # fmt: skip
    expected = {name: value.double() for name, value in copy(fresh()).items()}
    for n, weights in enumerate(steps):
        decay = min(0.9, (1 + n) / (10 + n))
        expected = {name: decay * value + (1 - decay) * weights[name] for name, value in expected.items()}
    for name, value in copy(model).items():
        if value.is_floating_point():
            torch.testing.assert_close(value.double(), expected[name], rtol=1e-5, atol=1e-6)
            assert torch.equal(value, validated[0][name])
        else:
            assert torch.equal(value, steps[-1][name])  # batches counted by the norm


def test_validation_is_recorded_and_disturbs_nothing(dataset: Dataset, tmp_path: Path) -> None:
    trained(dataset, tmp_path)
    rows = list(csv.DictReader((tmp_path / "validation.csv").open()))
    assert [row["iteration"] for row in rows] == ["4", "8", "9"]
    assert float(rows[0]["epoch"]) == pytest.approx(4 * 2 / 3)


def test_a_loss_that_is_not_finite_stops_with_the_images(dataset: Dataset, tmp_path: Path) -> None:
    model = fresh()
    model.fail_at = 6
    ids = source(dataset).batch(5).ids
    with pytest.raises(NonFiniteLossError, match=f"iteration 6 .*bce nan.*{ids[0]}, {ids[1]}"):
        train(model, source(dataset), SETTINGS, seed=0, folder=JobFolder(tmp_path), device=CPU)
    assert (tmp_path / "checkpoint.pt").exists()


def test_a_gradient_that_is_not_finite_never_reaches_the_weights(dataset: Dataset) -> None:
    class Steep(Toy):
        def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
            return {"root": (0 * self.head.weight.sum()).sqrt()}  # 0, with an infinite slope

    for norm in (0.1, None):
        model = Steep()
        settings = SETTINGS.model_copy(update={"gradient_norm": norm})
        before = model.head.weight.detach().clone()
        with pytest.raises(NonFiniteLossError, match="the gradient is not finite at iteration 1"):
            training_step(model, build_optimiser(model, settings), source(dataset).batch(0), settings, 0, CPU)
        assert torch.equal(model.head.weight, before)


def test_a_damaged_checkpoint_is_named(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match=r"checkpoint\.pt cannot be read"):
        train(fresh(), source(dataset), SETTINGS, seed=0, folder=JobFolder(tmp_path), device=CPU)


def test_a_torn_last_line_of_a_curve_is_forgotten(dataset: Dataset, tmp_path: Path) -> None:
    trained(dataset, tmp_path)
    path = tmp_path / "losses.csv"
    whole = path.read_text()
    path.write_text(whole + "10,0.")
    train(fresh(), source(dataset), SETTINGS, seed=0, folder=JobFolder(tmp_path), device=CPU)
    assert path.read_text() == whole


def test_batches_do_not_depend_on_who_loads_them(dataset: Dataset) -> None:
    batches = source(dataset)
    alone, ahead = (list(batches.from_iteration(2, 7, workers)) for workers in (0, 3))
    for expected, actual in zip(alone, ahead, strict=True):
        assert expected.ids == actual.ids
        assert torch.equal(expected.images, actual.images) and torch.equal(expected.labels, actual.labels)


def test_every_image_is_seen_once_an_epoch_and_seeds_differ(dataset: Dataset) -> None:
    batches = source(dataset)
    seen = [id for i in range(3) for id in batches.batch(i).ids]
    assert sorted(seen[:3]) == sorted(seen[3:]) == sorted(dataset.ids("train"))
    assert not torch.equal(batches.batch(0).images, source(dataset, seed=1).batch(0).images)


def test_gradient_accumulation_equals_the_whole_batch(dataset: Dataset) -> None:
    """Without batch statistics and random points, micro-batches add up to the batch."""

    class Mean(Toy):
        def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
            return {"mean": self.head(self.backbone[0](images)).mean()}

    weights = []
    for micro in (None, 1):
        torch.manual_seed(0)
        model = Mean()
        settings = SETTINGS.model_copy(update={"micro_batch_size": micro, "gradient_norm": None})
        optimiser = build_optimiser(model, settings)
        training_step(model, optimiser, source(dataset).batch(0), settings, 0, CPU)
        weights.append(model.head.weight.detach().clone())
    torch.testing.assert_close(weights[0], weights[1])


def test_learning_rate_warms_up_and_steps() -> None:
    settings = TrainingSettings(iterations=100, learning_rate=1.0, warmup_iterations=10, milestones=(0.5, 0.9))
    rates = [learning_rate(i, settings) for i in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (i + 1) for i in range(10)])
    assert rates[10:50] == [1.0] * 40
    assert rates[50:90] == pytest.approx([0.1] * 40)
    assert rates[90:] == pytest.approx([0.01] * 10)
    polynomial = settings.model_copy(update={"schedule": "polynomial"})
    assert learning_rate(50, polynomial) == pytest.approx(0.5**0.9)
    cosine = settings.model_copy(update={"schedule": "cosine"})
    assert [learning_rate(i, cosine) for i in (25, 50, 100)] == pytest.approx([(2 + 2**0.5) / 4, 0.5, 0.0])

"""How much faster the harness is than its definitions: each pair alternates in one process.

    python tests/timing/ratios.py [--only mask-head ...] [--json FILE]

The references are written from the definitions, without a thought for speed, and the tests beside them hold the
implementations to them: tests/pctrans/references.py, tests/benchmarks/metrics/slow_metrics.py and the deformable
attention of transformers.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from transformers import DeformableDetrConfig
from transformers.models.deformable_detr.modeling_deformable_detr import DeformableDetrMultiscaleDeformableAttention

from benchmarks.machine.environment import describe_environment, peak_memory_bytes, reset_peak_memory
from benchmarks.measure.speed.harness import discs
from benchmarks.metrics import image_metrics
from pctrans import PCTransConfig
from pctrans.contrast import contrastive_loss, cosine_similarity, group_queries, soft_dice_similarity
from pctrans.deformable import DeformableAttention
from pctrans.mask_head import DynamicMaskHead
from pctrans.matcher import Matching, matching_cost

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "pctrans"), str(TESTS / "benchmarks" / "metrics")]

import slow_metrics  # noqa: E402
from references import grouped_convolution, literal_contrast, literal_cosines, literal_dices  # noqa: E402

Run = Callable[[], object]


@dataclass(frozen=True)
class Ratio:
    """One line of the report.

    Attributes:
        reference, ours: what each run took, in seconds or in bytes.
        goal: how many times less ours should take; None where there is none.
    """

    name: str
    unit: str
    reference: list[float]
    ours: list[float]
    goal: float | None

    @property
    def value(self) -> float:
        return median(self.reference) / median(self.ours)

    def show(self) -> str:
        scale, unit = (1e3, "ms") if self.unit == "s" else (2**-20, "MiB")
        figures = (
            f"{scale * median(values):9.1f} {unit} ({len(values)} runs)" for values in (self.reference, self.ours)
        )
        verdict = "" if self.goal is None else f", goal {self.goal:g}: {'met' if self.value >= self.goal else 'MISSED'}"
        return f"{self.name:<46} {' / '.join(figures)} = {self.value:.2f}{verdict}"


def alternate(name: str, reference: Run, ours: Run, *, runs: int, ours_per_run: int = 1, goal: float | None) -> Ratio:
    """Time both in turn, after one untimed run of ours; a slow reference is run less often."""
    ours()
    theirs_seconds, ours_seconds = [], []
    for _ in range(runs):
        theirs_seconds.append(seconds_of(reference))
        ours_seconds += [seconds_of(ours) for _ in range(ours_per_run)]
    return Ratio(name, "s", theirs_seconds, ours_seconds, goal)


def seconds_of(run: Run) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def mask_head_runs(n: int = 300, side: int = 64) -> dict[str, Run]:
    """Forward and backward of N queries on side×side cells, batch 1."""
    torch.manual_seed(0)
    head = DynamicMaskHead(PCTransConfig())
    queries = torch.randn(1, n, 128, requires_grad=True)
    centres = torch.rand(1, n, 2)
    features = torch.randn(1, 16, side, side, requires_grad=True)
    upstream = torch.randn(1, n, side, side)
    positions = head.shared_features(torch.zeros(1, 128, side, side), 8)[:, 16:].detach()

    def ours() -> None:
        head(queries, centres, torch.cat((features, positions), dim=1), 8).backward(upstream)

    return {
        "reference": lambda: grouped_convolution(head, queries, centres, features, 8).backward(upstream),
        "ours": ours,
    }


def mask_head() -> Iterator[Ratio]:
    runs = mask_head_runs()
    yield alternate("mask head, N 300, 64×64", runs["reference"], runs["ours"], runs=7, goal=5)
    # Peaks of a fresh process each, as memory that one of them freed would hide the other's.
    command = [sys.executable, __file__, "--peak-of"]
    peaks = {side: [float(subprocess.check_output([*command, side])) for _ in range(3)] for side in runs}
    yield Ratio("mask head, memory above the arguments", "B", peaks["reference"], peaks["ours"], 5)


def peak_of(side: str) -> int:
    """Bytes that one run of a mask head adds to this process, arguments and a tiny first run not counted."""
    mask_head_runs(4, 8)[side]()  # the libraries' own buffers
    run = mask_head_runs()[side]
    reset_peak_memory("cpu")
    before = peak_memory_bytes("cpu")
    run()
    return peak_memory_bytes("cpu") - before


def contrast() -> Iterator[Ratio]:
    """QEC + MCC with their grouping, batch 2, N 300, K 100: ours with its backward pass, the loops without."""
    torch.manual_seed(0)
    queries = torch.randn(2, 300, 128, requires_grad=True)
    logits = torch.randn(2, 300, 64, 64, requires_grad=True)
    pairs = [(b, q) for b in range(2) for q in range(0, 300, 3)]
    image, query = (torch.tensor([pair[i] for pair in pairs]) for i in (0, 1))
    matching = Matching(image, query, torch.arange(len(pairs)), [100, 100])

    def ours() -> None:
        groups = group_queries(queries, matching)
        loss = contrastive_loss(cosine_similarity(queries), groups, 1.0)
        (loss + contrastive_loss(soft_dice_similarity(logits), groups, 1.0)).backward()

    def loops() -> None:
        with torch.no_grad():
            literal_contrast(queries, literal_cosines(queries), pairs, 1.0)
            literal_contrast(queries, literal_dices(logits), pairs, 1.0)

    yield alternate("QEC + MCC, batch 2, N 300, K 100", loops, ours, runs=1, ours_per_run=9, goal=50)


def metrics() -> Iterator[Ratio]:
    truth, prediction = discs(16, 0.0), discs(15, 4.0)
    yield alternate(
        "all metrics, 520×696, 250 instances", lambda: slow_metrics.all_metrics(truth, prediction),
        lambda: image_metrics(truth, prediction), runs=1, ours_per_run=50, goal=200,
    )  # fmt: skip


def matching() -> Iterator[Ratio]:
    """Not a ratio to a reference: what the assignment adds to the costs, which are made on the device."""
    torch.manual_seed(0)
    truth = torch.rand(8, 100, 12544) > 0.9
    layers = [torch.randn(8, 300, 12544) for _ in range(2)]  # ten of them would only fill the memory
    costs: list[Tensor] = []

    def make_costs() -> None:
        costs[:] = [matching_cost(layers[i % 2], truth) for i in range(10)]

    def assign() -> None:
        for cost in np.concatenate([c.numpy() for c in costs]):
            linear_sum_assignment(cost)

    make_costs()
    yield alternate("matching, 10 layers, batch 8: costs / assignment", make_costs, assign, runs=3, goal=None)


def deformable() -> Iterator[Ratio]:
    """Forward and backward at 512²: strides 32, 16, 8, width 128, batch 2."""
    shapes = [(16, 16), (32, 32), (64, 64)]
    size = sum(h * w for h, w in shapes)
    torch.manual_seed(0)
    ours = DeformableAttention(128, len(shapes), heads=8, points=4)
    for parameter in ours.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    config = DeformableDetrConfig(d_model=128, num_feature_levels=len(shapes), disable_custom_kernels=True)
    theirs = DeformableDetrMultiscaleDeformableAttention(config, 8, 4)
    theirs.load_state_dict(ours.state_dict())
    memory = torch.randn(2, size, 128, requires_grad=True)
    reference, upstream = torch.rand(2, size, 2), torch.randn(2, size, 128)
    table = torch.tensor(shapes)

    def run_theirs() -> None:
        output, _ = theirs(
            memory, encoder_hidden_states=memory, reference_points=reference[:, :, None].expand(-1, -1, 3, -1),
            spatial_shapes=table, spatial_shapes_list=shapes,
            level_start_index=torch.cat((table.new_zeros(1), table.prod(1).cumsum(0)[:-1])),
        )  # fmt: skip
        output.backward(upstream)

    yield alternate(
        "deformable attention, transformers / ours", run_theirs,
        lambda: ours(memory, reference, memory, shapes).backward(upstream), runs=9, goal=1,
    )  # fmt: skip


ENTRIES = {
    "mask-head": mask_head, "contrast": contrast, "metrics": metrics, "matching": matching, "deformable": deformable,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=ENTRIES, default=list(ENTRIES))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--peak-of", choices=("reference", "ours"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak_of:
        print(peak_of(arguments.peak_of))
        return
    environment = describe_environment("cpu")
    print(f"{environment['cpu']}, {environment['threads']} threads, torch {environment['torch']}; reference / ours")
    found = []
    for name in arguments.only:
        for ratio in ENTRIES[name]():
            print(ratio.show(), flush=True)
            found.append({**asdict(ratio), "value": ratio.value})
    if arguments.json:
        arguments.json.write_text(json.dumps({"environment": environment, "ratios": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()

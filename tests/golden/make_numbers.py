"""Make numbers.json: losses, gradients and label maps of a tiny model of every method, from seeds.

    python tests/golden/make_numbers.py

Cases of a method that needs a package that is not installed are kept as they are.

It refuses where numbers have changed and neither `NUMERICS` nor the method's `NUMERICS_OF_METHOD` in
benchmarks/plan/job.py has: raise one of them first, so that older results are not reused. `--same-numerics` is for the
case that no results have been made with the present ones.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1] / "baselines")]  # as pytest has it

from tiny import RECIPES  # noqa: E402

from benchmarks.plan.job import NUMERICS, NUMERICS_OF_METHOD  # noqa: E402
from benchmarks.plan.methods import METHODS  # noqa: E402

GOLDEN = Path(__file__).with_name("numbers.json")
COMMAND = "python tests/golden/make_numbers.py"
SEEDS = range(20)

# Every form that a job may ask for. The thresholds let the noise of a model that was not trained make objects.
CASES: dict[str, dict[str, Any]] = {
    "pctrans": {},
    "pctrans, standard attention, inner product, no relative coordinates": {
        "attention_type": 1,
        "mask_head": "inner_product",
        "relative_coordinates": False,
    },
    "pctrans, concatenated positions, masks at 1/4, centres in the matching, released contrast and averaging": {
        "attention_type": 2,
        "mask_stride": 4,
        "matching_centre_weight": 1.0,
        "query_contrast_form": "released",
        "inference": {"averaging": "binary", "binarise_threshold": 0.5, "group_threshold": 0.6, "mask_threshold": 0.4},
    },
    "osformer": {"inference": {"score_threshold": 0.0, "keep_threshold": 0.0}},
    "mask2former": {"inference": {"visible_share": 0.2}},
    "discriminative": {},
    "stardist": {"inference": {"probability_threshold": 0.4, "min_area": 12}},
    "cellpose": {"inference": {"flow_error_threshold": 10.0}},
    "maskrcnn": {"inference": {"score_threshold": 0.4, "visible_share": 0.1}},
    "eomt": {"inference": {"visible_share": 0.2}},
    "watershed": {},
}


def scene() -> tuple[Tensor, Tensor]:
    """Images (2, 3, 64, 64) in [0, 1] and labels (2, 64, 64): three squares, and one; bright, a little noisy."""
    labels = torch.zeros(2, 64, 64, dtype=torch.long)
    for index, (row, column) in enumerate([(2, 2), (30, 30), (4, 40)], 1):
        labels[0, row : row + 20, column : column + 20] = index
    labels[1, 20:48, 20:48] = 1
    noise = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    return 0.1 + 0.8 * (labels > 0).float()[:, None] + 0.05 * noise, labels


def numbers(case: str, seed: int, images: Tensor, labels: Tensor) -> dict[str, Any]:
    """What a fresh model says on the device of the images.

    Returns:
        `losses` by term; `gradients`, their norms by child of the model; `objects`, (area, centre's row, centre's
        column) in pixels of each object of each image, in the order of the ids.
    """
    method = METHODS[_method(case)]
    torch.manual_seed(seed)
    model: Any = method.build(RECIPES[_method(case)].config | CASES[case])
    found: dict[str, Any] = {}
    if method.trained:
        model.to(images.device)
        torch.manual_seed(seed + 1)
        losses = model.losses(images, labels)
        torch.stack(list(losses.values())).sum().backward()
        found["losses"] = {name: value.item() for name, value in losses.items()}
        found["gradients"] = {name: _gradient(child) for name, child in model.named_children() if _weights(child)}
        model.eval()
    found["objects"] = [_objects(ids) for ids in model.segment(images)]
    return found


def differences(found: dict[str, Any], expected: dict[str, Any], strictness: float = 1.0) -> list[str]:
    """What differs by more than another CPU explains; tolerances are divided by `strictness`."""
    lines = []
    for kind, tolerance in (("losses", 1e-4), ("gradients", 1e-3)):
        was, now = expected.get(kind, {}), found.get(kind, {})
        for name in sorted(was.keys() | now.keys()):
            if name not in was or name not in now:
                lines.append(f"{kind} {name}: {'gone' if name in was else 'new'}")
            elif not abs(now[name] - was[name]) <= tolerance / strictness * abs(was[name]):
                lines.append(f"{kind} {name}: {now[name]:.7g}, was {was[name]:.7g}")
    for image, (now, was) in enumerate(zip(found["objects"], expected["objects"], strict=True)):
        if len(now) != len(was):
            lines.append(f"image {image}: {len(now)} objects, was {len(was)}")
        elif torch.tensor(now).sub(torch.tensor(was)).abs().gt(torch.tensor([4.0, 0.5, 0.5]) / strictness).any():
            lines.append(f"image {image}: objects (area, row, column) {now}, was {was}")
    return lines


def raised_since(golden: dict[str, Any]) -> set[str]:
    """Methods whose own numerics are no longer those of the golden numbers."""
    before = golden.get("numerics_of_method", {})
    return {name for name in METHODS if NUMERICS_OF_METHOD.get(name) != before.get(name)}


def _method(case: str) -> str:
    return case.split(",")[0]


def _lacking(case: str) -> str:
    """What has to be installed before a case can be made; empty where all is there."""
    return str(METHODS[_method(case)].lacking or "")


def _kept(case: str) -> dict[str, Any]:
    """The numbers that the file has of a case that cannot be made here: its test tells where it can be."""
    print(f"{case}: kept as it was. {_lacking(case)}.", file=sys.stderr)
    return json.loads(GOLDEN.read_text())["cases"][case]


def _weights(module: torch.nn.Module) -> bool:
    return any(True for _ in module.parameters())


def _gradient(module: torch.nn.Module) -> float:
    return torch.stack([p.grad.norm() for p in module.parameters() if p.grad is not None]).norm().item()


def _objects(ids: Tensor) -> list[list[float]]:
    places = [(ids == index).nonzero().double() for index in range(1, int(ids.max()) + 1)]
    return [[float(len(p)), *(round(c, 2) for c in p.mean(0).tolist())] for p in places]


def _make(case: str) -> dict[str, Any]:
    """The numbers of the seed with the most objects of those that rounding hardly moves."""
    images, labels = scene()
    seeds = SEEDS if METHODS[_method(case)].trained else range(1)
    found = {seed: numbers(case, seed, images, labels) for seed in seeds}
    for seed in sorted(seeds, key=lambda seed: (-min(len(o) for o in found[seed]["objects"]), seed)):
        if _steady(case, seed, found[seed]):
            return {"seed": seed, **found[seed]}
    raise SystemExit(f"{case}: a rounding error moves the numbers of every seed.")


def _steady(case: str, seed: int, expected: dict[str, Any]) -> bool:
    """Whether other convolutions and images that are off by a few units in the last place make no difference."""
    images, labels = scene()
    for trial in range(3):
        noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(trial))
        with warnings.catch_warnings(action="ignore"), torch.backends.mkldnn.flags(enabled=False):
            if differences(numbers(case, seed, images * (1 + 1e-6 * noise), labels), expected, strictness=4):
                return False
    return True


def _refuse_silent_change(cases: dict[str, Any]) -> None:
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {"numerics": None}
    if golden["numerics"] != NUMERICS:
        return
    raised = raised_since(golden)
    known = {
        name: case
        for name, case in golden["cases"].items()
        if name in cases and not _lacking(name) and _method(name) not in raised
    }
    images, labels = scene()
    for name, case in known.items():
        if lines := differences(numbers(name, case["seed"], images, labels), case):
            raise SystemExit(
                f"{name}: the numbers changed, but NUMERICS is still {NUMERICS}:\n  " + "\n  ".join(lines) + "\n"
                "Raise NUMERICS in benchmarks/plan/job.py, or NUMERICS_OF_METHOD, then run this again; "
                "--same-numerics if no results were made with it yet."
            )


def _laid_out(found: dict[str, Any]) -> str:
    """JSON with a line for each kind of number."""
    return "{\n" + ",\n".join(f'   "{kind}": {json.dumps(values)}' for kind, values in found.items()) + "\n  }"


def main() -> None:
    """Write the golden numbers beside this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--same-numerics", action="store_true", help="numbers may change though NUMERICS did not")
    torch.set_num_threads(1)
    if not parser.parse_args().same_numerics:
        _refuse_silent_change(CASES)
    facts = {
        "command": COMMAND,
        "numerics": NUMERICS,
        "numerics_of_method": NUMERICS_OF_METHOD,
        "torch": torch.__version__,
    }
    lines = [f"  {json.dumps(case)}: {_laid_out(_kept(case) if _lacking(case) else _make(case))}" for case in CASES]
    GOLDEN.write_text(json.dumps(facts, indent=1)[:-2] + ',\n "cases": {\n' + ",\n".join(lines) + "\n }\n}\n")


if __name__ == "__main__":
    main()

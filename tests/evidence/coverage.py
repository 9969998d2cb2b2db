"""How often the interval of a difference holds the truth, simulated: behind `reports.statistics.crossed_interval`.

    python tests/evidence/coverage.py [--images 50] [--seeds 3] [--draws 1000]

Differences of rows are drawn from a model in which images, seeds and both together scatter, each normally. `share` is
the part of the variance of the mean that is due to seeds: 0 where trainings do not differ, 1 where nothing else does.
Printed beside the interval as built is that over images alone, of differences averaged over seeds. Both claim 95 %.
"""

from __future__ import annotations

import argparse

import numpy as np

from reports.statistics import Interval, crossed_interval, mean_interval

SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


def simulated(images: int, seeds: int, share: float, generator: np.random.Generator) -> np.ndarray:
    """Differences (images, seeds) whose true mean is 0 and whose mean has a variance of 1, a `share` of it by seeds.

    Half of what is not due to seeds is common to all seeds of an image; the other half is of each training and image.
    """
    of_image = np.sqrt((1 - share) / 2 * images) * generator.standard_normal((images, 1))
    of_both = np.sqrt((1 - share) / 2 * images * seeds) * generator.standard_normal((images, seeds))
    of_seed = np.sqrt(share * seeds) * generator.standard_normal((1, seeds))
    return np.asarray(of_image + of_both + of_seed)


def _holds(interval: Interval) -> bool:
    return interval.low <= 0 <= interval.high


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--draws", type=int, default=1000)
    arguments = parser.parse_args()
    print("share of seeds  as built  images alone")
    for share in SHARES:
        generator = np.random.default_rng(int(100 * share))
        drawn = [simulated(arguments.images, arguments.seeds, share, generator) for _ in range(arguments.draws)]
        built = np.mean([_holds(crossed_interval(one)) for one in drawn])
        alone = np.mean([_holds(mean_interval(one.mean(axis=1))) for one in drawn])
        print(f"{share:14.2f}  {built:8.1%}  {alone:12.1%}")


if __name__ == "__main__":
    main()

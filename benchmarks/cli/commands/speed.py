"""`pctrans-bench speed`: what everything costs on this machine."""

from __future__ import annotations

import json as json_module
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.cli.option_groups import grouped
from benchmarks.cli.options import Data, JobOptions, one_job
from benchmarks.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from benchmarks.measure.speed import ScaleReport
    from benchmarks.measure.speed.document import Earlier
    from benchmarks.measure.step import Series

SEEDS = 13
"""Seeds of table 4 whose results are collected: 104 results."""


@grouped
def speed(
    *,
    method: Annotated[str, typer.Argument(help="Name of a method; `list methods` shows them.")] = "pctrans",
    data: Data = "synthetic-nuclei",
    scale: Annotated[
        list[str] | None, typer.Option("--scale", help="smoke, quick, long or paper; may be repeated. Default: all.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="loading, step, inference, metrics or harness; may be repeated. Default: all."),
    ] = None,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Timed runs of each thing, at most.")] = 15,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0, help="For each thing; at least two runs are timed.")
    ] = 8.0,
    json: Annotated[Path | None, typer.Option("--json", help="Write all figures here; - is standard output.")] = None,
    against: Annotated[
        Path | None, typer.Option("--against", help="An earlier --json file: adds a column of ratios, now / then.")
    ] = None,
    job_options: JobOptions,
) -> None:
    """Time loading, every part of a training iteration, inference, metrics and the harness itself."""
    from benchmarks.data import open_dataset
    from benchmarks.files import write_json
    from benchmarks.machine.environment import choose_device
    from benchmarks.machine.terminal import text_console
    from benchmarks.measure.speed import GROUPS, measure_scale
    from benchmarks.measure.speed.document import Earlier, Measurement
    from benchmarks.plan.scales import SCALES

    groups = _checked(only, GROUPS, "--only")
    device, earlier = choose_device(job_options.device), Earlier.read(against) if against else None
    to_stdout = json is not None and str(json) == "-"
    console = text_console(highlight=False, stderr=to_stdout)
    dataset = open_dataset(data)
    jobs = [
        one_job(method, dataset, job_options, scale=name, device=device)
        for name in _checked(scale, tuple(SCALES), "--scale")
    ]
    _introduce(console, device)
    reports = []
    if set(groups) - {"metrics", "harness"}:
        for job in jobs:
            with console.status("") as status:
                report = measure_scale(
                    job, dataset, device, groups=groups, repeats=repeats, budget=seconds,
                    progress=lambda what, name=job.scale: status.update(f"{name}: {what}"),  # type: ignore[misc]
                )  # fmt: skip
            _show(console, report, earlier)
            reports.append(report)
    with console.status("metrics and harness"):
        rest = _harness(groups, repeats, seconds)
    if rest:
        console.print(_series_table("independent of the scale", rest, earlier, ("", "")))
    described = Measurement(dataset.spec, device, reports, rest).described()
    if to_stdout:
        print(json_module.dumps(described, indent=2))
    elif json is not None:
        write_json(json, described)


def _checked(asked: Sequence[str] | None, known: tuple[str, ...], option: str) -> tuple[str, ...]:
    for name in asked or ():
        if name not in known:
            raise UserError(f"{option} {name}: there are {', '.join(known)}.")
    return tuple(asked) if asked else known


def _harness(groups: tuple[str, ...], repeats: int, budget: float) -> list[Series]:
    from benchmarks.measure.speed.harness import measure_metrics, measure_start

    found: list[Series] = []
    if "metrics" in groups:
        found += measure_metrics(repeats, budget)
    if "harness" in groups:
        found += [*_collecting(repeats, budget), *measure_start(repeats, budget)]
    return found


def _collecting(repeats: int, budget: float) -> list[Series]:
    from tempfile import TemporaryDirectory

    from benchmarks.measure.speed.harness import finished_results
    from benchmarks.measure.step import repeat
    from reports.collect import collect

    with TemporaryDirectory() as folder:
        count = finished_results(Path(folder), "table4", SEEDS)
        name = f"collect {count} results of 50 images"
        return [repeat(name, lambda: collect(Path(folder), "table4"), most=repeats, budget=budget)]


def _introduce(console: Console, device: str) -> None:
    from benchmarks.machine.environment import describe_environment

    environment = describe_environment(device)
    console.print(
        f"{environment['accelerator'] or environment['cpu']}, {environment['cores']} cores, "
        f"{environment['threads']} threads, {environment['memory_gib']} GiB, torch {environment['torch']}, "
        f"commit {(environment['commit'] or 'unknown')[:8]}"
    )


def _show(console: Console, report: ScaleReport, earlier: Earlier | None) -> None:
    settings = report.settings
    console.print(
        f"\n{report.method} at scale {report.scale}: crop {settings['crop']}, batch {settings['batch_size']}, "
        f"{settings['precision']}, {report.parameters / 1e6:.1f} M parameters, random weights"
    )
    if report.note:
        console.print(f"  {report.note}")
    if report.peak_memory_bytes is not None:
        console.print(f"  {report.peak_memory_bytes / 2**30:.2f} GiB at the peak of training")
    place = (report.scale, report.method)
    console.print(_series_table("", report.series, earlier, place))
    if report.sections:
        console.print(_section_table(report, earlier, place))


def _series_table(title: str, series: list[Series], earlier: Earlier | None, place: tuple[str, str]) -> Table:
    table = _table(title, ["", "median", "fastest", "slowest", "runs"], earlier)
    for entry in series:
        low, high = entry.spread
        cells = [_time(entry.median), _time(low), _time(high), str(len(entry.seconds))]
        table.add_row(entry.name, *cells, *_ratio(earlier, place, entry))
    return table


def _section_table(report: ScaleReport, earlier: Earlier | None, place: tuple[str, str]) -> Table:
    from statistics import median

    runs = len(report.sections[0].forward)
    table = _table(f"inside an iteration, {runs} profiled", ["section", "forward", "backward", "share", ""], earlier)
    for section in report.sections:
        share = report.share(section)
        cells = [
            _time(median(section.forward)),
            _time(median(section.backward)),
            f"{share:.1%}",
            "█" * round(40 * share),
        ]
        table.add_row(section.name, *cells, *_ratio(earlier, place, section))
    return table


def _table(title: str, columns: list[str], earlier: Earlier | None) -> Table:
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 or not column else "right", no_wrap=True)
    if earlier:
        table.add_column("now / then", justify="right")
    return table


def _ratio(earlier: Earlier | None, place: tuple[str, str], entry: object) -> list[str]:
    if earlier is None:
        return []
    ratio = earlier.ratio(place, entry)  # type: ignore[arg-type]
    return ["-" if ratio is None else f"{ratio:.2f}"]


def _time(seconds: float) -> str:
    return (
        f"{seconds:.2f} s"
        if seconds >= 1
        else f"{1000 * seconds:.1f} ms"
        if seconds >= 1e-3
        else f"{1e6 * seconds:.0f} µs"
    )

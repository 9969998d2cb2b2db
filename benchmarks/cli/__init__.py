"""The command line: `pctrans-bench`.

Commands import what they need when they run, so that `--help` answers at once. Exit status: 0 all went well,
1 a job or an image failed, a check found problems or data could not be fetched, 2 the user has to change
something, 130 interrupted, 141 nobody reads the output any more.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from contextlib import suppress

import typer

from benchmarks.cli.commands import (
    compare,
    data,
    folders,
    inventory,
    labels,
    power,
    predict,
    push,
    report,
    robustness,
    run,
    scaling,
    show,
    speed,
    study,
    tracking,
    train,
)
from benchmarks.errors import UserError

INTERRUPTED = 130
OUTPUT_CLOSED = 141
"""What a shell says of a program that SIGPIPE ended."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Measure which model, and which part of it, helps in biological instance segmentation.",
)
app.command("run")(run.run)
app.command("show")(show.show)
app.command("train")(train.train)
app.command("predict")(predict.predict)
app.command("score")(predict.score)
app.command("push")(push.push)
app.command("pack")(push.pack)
app.command("study")(study.study)
app.command("report")(report.report)
app.command("rescore")(report.rescore)
app.command("claims")(report.claims)
app.command("verify")(folders.verify)
app.command("compare")(compare.compare)
app.command("merge")(folders.merge)
app.command("protocol")(report.protocol)
app.command("errors")(report.errors)
app.command("labels")(labels.labels)
app.command("robustness")(robustness.robustness)
app.command("calibration")(robustness.calibration)
app.command("power")(power.power)
app.command("speed")(speed.speed)
app.command("scaling")(scaling.scaling)
app.command("list")(inventory.list_things)
app.command("ui")(tracking.ui)
app.command("track")(tracking.track)
app.add_typer(data.data, name="data")


def _print_whatever_the_locale() -> None:
    """Let a character that the terminal does not have become a question mark, in place of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def main() -> None:
    """Run the command line; ends the process."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    _print_whatever_the_locale()
    status = _run()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        status = OUTPUT_CLOSED
    if status == INTERRUPTED:
        _say("Interrupted. Nothing is lost: the same command goes on where this one stopped.")
    if status == OUTPUT_CLOSED:
        # Else the interpreter complains of what it cannot write when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


def _run() -> int | str | None:
    """Run the command line; returns the exit status."""
    try:
        app()
    except UserError as error:
        _say(f"Error: {error}")
        return 2
    except OSError as error:  # no permission, no space, a folder where a file was expected
        _say(f"Error: {error}")
        return 2
    except MemoryError as error:
        _say(f"Error: there is not enough memory ({error}). Take smaller images or tiles, or fewer jobs at a time.")
        return 2
    except SystemExit as end:
        # rich and click make it a 1, which is of jobs that failed.
        return OUTPUT_CLOSED if isinstance(end.__context__, BrokenPipeError) else end.code
    return 0


def _say(text: str) -> None:
    with suppress(OSError):
        print(text, file=sys.stderr)

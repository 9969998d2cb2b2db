"""Complete models of `transformers` from the hub or a folder, with parts that may start anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from pctrans.backbone import PretrainedWeightsError


def read_checkpoint(network_class: Any, source: str, architecture: Any, may_start_anew: tuple[str, ...]) -> Any:
    """Read the weights of a network, of which only those parts may be lacking or of another shape.

    Args:
        network_class: a model class of `transformers`.
        architecture: its configuration, as the network shall be.
        may_start_anew: beginnings of the names of parameters.

    Raises:
        PretrainedWeightsError: other weights are lacking or of another shape; they would have been random.
    """
    network, report = network_class.from_pretrained(
        source,
        config=architecture,
        dtype=torch.float32,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
        use_safetensors=True,
    )
    lacking = [name for name in report["missing_keys"] if not name.startswith(may_start_anew)]
    differing = [name for name, *_ in report["mismatched_keys"] if not name.startswith(may_start_anew)]
    if lacking or differing:
        raise PretrainedWeightsError(
            f"'{source}' lacks {len(lacking)} weights of the model that its config.json describes and has "
            f"{len(differing)} of another shape, the first '{min(lacking + differing)}'; they would have been random"
        )
    return network


@contextmanager
def reading(what: str, source: str, example: str) -> Iterator[None]:
    """Say of a checkpoint that cannot be read inside the block what was expected, and what to do without a network.

    Args:
        what: it was to be, for people.
        source: hub id or folder.
        example: a hub id that would do.

    Raises:
        PretrainedWeightsError: in place of what could not be read; one that is raised inside passes as it is.
    """
    try:
        yield
    except PretrainedWeightsError:
        raise
    except (OSError, ValueError, RuntimeError) as error:
        raise PretrainedWeightsError(
            f"no {what} could be read from '{source}' ({error}). Expected a hub id such as '{example}', reachable from "
            "here, or a local folder with config.json and model.safetensors. Without a network, download the folder "
            "elsewhere and give its path, or set checkpoint to null to start from random weights."
        ) from error

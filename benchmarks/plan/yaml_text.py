"""YAML that people write: what a few bytes may unfold to is bounded."""

from __future__ import annotations

from typing import Any

import yaml

# Far more than any table or study has; the sizes are of what aliases unfold to.
MAX_VALUES = 100_000
MAX_CHARACTERS = 2**20


def parse_yaml(text: str) -> Any:
    """Parse one YAML document of plain values.

    Raises:
        yaml.YAMLError: it is not YAML, too long, nested too deeply, or unfolds through aliases to more than
            `MAX_VALUES` values; or a value such as a date is none.
    """
    if len(text) > MAX_CHARACTERS:
        raise yaml.YAMLError(f"{len(text)} characters; at most {MAX_CHARACTERS} are read")
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _count(node, {})
        return loader.construct_document(node)
    except RecursionError as error:
        raise yaml.YAMLError("it is nested too deeply") from error
    except ValueError as error:
        raise yaml.YAMLError(str(error)) from error
    finally:
        loader.dispose()


def _count(node: yaml.Node, counted: dict[yaml.Node, int]) -> int:
    """Count the values that a node unfolds to; every alias counts as all that its anchor holds."""
    if node not in counted:
        counted[node] = MAX_VALUES  # for an alias of itself inside
        counted[node] = 1 + sum(_count(part, counted) for part in _parts(node))
        if counted[node] > MAX_VALUES:
            raise yaml.YAMLError(f"its aliases unfold to more than {MAX_VALUES} values")
    return counted[node]


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for entry in node.value for part in entry]
    return node.value if isinstance(node, yaml.SequenceNode) else []

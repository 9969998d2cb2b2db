"""PCTrans as a library: `PCTrans(PCTransConfig())`, `losses(images, labels)`, `segment(images)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pctrans.config import PCTransConfig

if TYPE_CHECKING:
    from pctrans.model import PCTrans

__all__ = ["PCTrans", "PCTransConfig"]


def __getattr__(name: str) -> Any:
    # The model pulls in torch and transformers (seconds); reading a configuration must not.
    if name == "PCTrans":
        from pctrans.model import PCTrans

        return PCTrans
    raise AttributeError(f"module 'pctrans' has no attribute '{name}'")

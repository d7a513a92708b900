"""Eviction thresholds, wherever they are given: the Node Config's structs, flags, the maps of a configuration file.

Source: ParseThresholdConfig in pkg/kubelet/eviction/helpers.go.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from kubelog.klog import values
from kubelog.klog.values import Quantity

# The flags, and the settings of a configuration file, that make up the thresholds.
FLAGS: Final = ("eviction-hard", "eviction-soft", "eviction-soft-grace-period", "eviction-minimum-reclaim")
SETTINGS: Final = ("evictionHard", "evictionSoft", "evictionSoftGracePeriod", "evictionMinimumReclaim")
# Thresholds of 0 % and 100 % are how one is switched off.
_OFF: Final = (0.0, 1.0)
_UNKNOWN: Final = Quantity("unknown", None)


class Threshold(msgspec.Struct, frozen=True, gc=False):
    """An eviction threshold: `signal` `operator` (`quantity` or `percentage`), as the kubelet applies it."""

    signal: str
    operator: str = "LessThan"
    quantity: Quantity | None = None
    percentage: float | None = None
    grace_s: float | None = 0.0  # None where a soft threshold's is not given in the same place
    min_reclaim: Quantity | None = None  # `10%` has the value 0.1; up to 1.27 only that there is one is printed (`unknown`)
    hard: bool = True

    @property
    def flag(self) -> str:
        """As a flag says it: `nodefs.available<10%`."""
        return f"{self.signal}<{self.limit}"

    @property
    def limit(self) -> str:
        if self.quantity is not None:
            return self.quantity.text
        return _percent_text(self.percentage or 0)

    @property
    def grace(self) -> str | None:
        """The grace period as Go writes it: `1m30s`; None where there is none or none is known."""
        return duration_text(self.grace_s) if self.grace_s else None


def of_node_config(found: Any) -> list[Threshold]:
    """`HardEvictionThresholds` of %+v or JSON. Raises ValueError."""
    if found in (None, "<nil>", ""):
        return []
    if not isinstance(found, list):
        raise ValueError("expected a list of thresholds")
    return [_printed(one) for one in found]


def of_flags(flags: Mapping[str, str]) -> list[Threshold] | None:
    """Those of a command line; None where it says nothing of eviction. Raises ValueError."""
    texts = [flags.get(name) for name in FLAGS]
    maps = [None if text is None else _map(text, "<" if number < 2 else "=") for number, text in enumerate(texts)]
    return of_maps(*maps)


def of_settings(settings: Mapping[str, Any]) -> list[Threshold] | None:
    """Those of a KubeletConfiguration; None where it says nothing of eviction. Raises ValueError."""
    maps: list[Mapping[str, str] | None] = []
    for name in SETTINGS:
        found = settings.get(name)
        if found is not None and not isinstance(found, Mapping):
            raise ValueError(f"expected {name} to be a map")
        maps.append(None if found is None else {str(signal): str(value) for signal, value in found.items()})
    return of_maps(*maps)


def of_maps(
    hard: Mapping[str, str] | None,
    soft: Mapping[str, str] | None,
    grace: Mapping[str, str] | None,
    reclaim: Mapping[str, str] | None,
) -> list[Threshold] | None:
    """Limits, grace periods and minimum reclaim by signal → thresholds, the hard ones first; None where no limit is given."""
    if hard is None and soft is None:
        return None
    found: list[Threshold] = []
    for limits, is_hard in ((hard or {}, True), (soft or {}, False)):
        for signal, limit in limits.items():
            quantity, percentage = _limit(limit)
            if percentage in _OFF:
                continue
            period = 0.0 if is_hard else values.duration(grace[signal].encode()) if signal in (grace or {}) and grace else None
            least = _amount(reclaim[signal]) if reclaim and signal in reclaim else None
            found.append(Threshold(signal, "LessThan", quantity, percentage, period, least, is_hard))
    return found


def _map(text: str, between: str) -> dict[str, str]:
    """`memory.available<100Mi,nodefs.available<10%` → limits by signal."""
    found: dict[str, str] = {}
    for part in text.strip("\"' ").split(","):
        if not part.strip():
            continue
        signal, sign, value = part.partition(between)
        if not sign or not signal.strip() or not value.strip():
            raise ValueError(f"expected signal{between}value")
        # A unit file writes a percent sign twice.
        found[signal.strip()] = value.strip().replace("%%", "%")
    return found


def _limit(text: str) -> tuple[Quantity | None, float | None]:
    if text.endswith("%"):
        return None, values.percent(text.encode())
    return values.quantity(text.encode()), None


def _amount(text: str) -> Quantity:
    """What is to be reclaimed: a quantity, or a percentage as one."""
    quantity, percentage = _limit(text)
    return quantity or Quantity(text, percentage)


def _printed(found: Any) -> Threshold:
    """One of `HardEvictionThresholds`, of %+v or JSON."""
    if not isinstance(found, dict) or not isinstance(found.get("Signal"), str):
        raise ValueError("expected a threshold with a Signal")
    quantity, percentage = _value(found.get("Value"))
    grace = found.get("GracePeriod") or 0
    return Threshold(
        found["Signal"],
        found.get("Operator") or "LessThan",
        quantity,
        None if quantity is not None else percentage,
        values.duration(grace.encode()) if isinstance(grace, str) else grace / 1e9,
        _reclaim(found.get("MinReclaim")),
        True,
    )


def _value(found: Any) -> tuple[Quantity | None, float]:
    """The two halves of a ThresholdValue."""
    found = found or {}
    quantity = found.get("Quantity")
    percentage = float(found.get("Percentage") or 0)
    if not math.isfinite(percentage) or percentage < 0:
        raise ValueError("expected a percentage")
    # It is a float32: what was 0.1 may be printed as 0.10000000149011612.
    percentage = float(f"{percentage:.7g}")
    return None if quantity in (None, "", "<nil>") else values.quantity(str(quantity).encode()), percentage


def _reclaim(found: Any) -> Quantity | None:
    if isinstance(found, dict):
        quantity, share = _value(found)
        return quantity or Quantity(_percent_text(share), share)
    if not isinstance(found, str) or found in ("", "<nil>"):
        return None
    # 1.27 and earlier print the pointer.
    return _UNKNOWN if found.startswith("0x") else _amount(found)


def _percent_text(share: float) -> str:
    return f"{round(share * 100, 4):g}%"


def duration_text(seconds: float) -> str:
    """As Go writes it: `1m30s`, `100ms`."""
    exact = Decimal(repr(abs(seconds)))
    sign = "-" if seconds < 0 else ""
    if 0 < exact < 1:
        unit, scale = next(((u, s) for u, s in (("ms", 3), ("µs", 6), ("ns", 9)) if exact.scaleb(s) >= 1), ("ns", 9))
        return f"{sign}{_number(exact.scaleb(scale))}{unit}"
    minutes, rest = divmod(exact, 60)
    hours, minutes = divmod(minutes, 60)
    large = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{large}{_number(rest)}s"


def _number(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text

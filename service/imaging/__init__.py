"""The pipeline: Pillow only, synchronous, pure; no session, storage or event loop.

`sniff` and `probe` say what a file is, `plan` what will be made of it, `render` makes it.
"""

from __future__ import annotations

from service.imaging.pipeline import Observe, Planned, Rendered, plan, render
from service.imaging.placeholder import dominant_colour
from service.imaging.presets import DEFAULT_PRESETS, Operation, Pipeline, Recipe
from service.imaging.probe import SNIFF_BYTES, Limits, Probe, probe, sniff

__all__ = [
    "DEFAULT_PRESETS",
    "SNIFF_BYTES",
    "Limits",
    "Observe",
    "Operation",
    "Pipeline",
    "Planned",
    "Probe",
    "Recipe",
    "Rendered",
    "dominant_colour",
    "plan",
    "probe",
    "render",
    "sniff",
]

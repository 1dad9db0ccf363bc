"""The pipeline: Pillow only, synchronous, pure; no session, storage or event loop.

`sniff` and `probe` say what a file is, `plan` what will be made of it, `render` makes it, and
`steps` does so step by step, in a thread or in a process of its own.
"""

from __future__ import annotations

from service.imaging.cleaning import Patch, patched, patches
from service.imaging.footprint import peak_bytes
from service.imaging.marks import missing_mark
from service.imaging.opening import has_decoder
from service.imaging.pipeline import Observe, Rendered, render
from service.imaging.placeholder import dominant_colour
from service.imaging.planning import Planned, plan
from service.imaging.presets import DEFAULT_PRESETS, Pipeline, Recipe
from service.imaging.probe import SNIFF_BYTES, Limits, Probe, probe, sniff
from service.imaging.steps import Step, steps
from service.imaging.wording import in_words
from service.imaging.words import Operation

__all__ = [
    "DEFAULT_PRESETS",
    "SNIFF_BYTES",
    "Limits",
    "Observe",
    "Operation",
    "Patch",
    "Pipeline",
    "Planned",
    "Probe",
    "Recipe",
    "Rendered",
    "Step",
    "dominant_colour",
    "has_decoder",
    "in_words",
    "missing_mark",
    "patched",
    "patches",
    "peak_bytes",
    "plan",
    "probe",
    "render",
    "sniff",
    "steps",
]

"""Long work stops at its next checkpoint once nobody waits for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.imaging import Limits, Pipeline, probe, render
from service.interrupting import GivenUp, asking, checkpoint
from tests.pictures import picture_bytes

OPERATIONS = [{"op": "blur", "radius": 2}] * 4


def test_where_nobody_asks_a_checkpoint_does_nothing() -> None:
    checkpoint()


def test_work_goes_on_until_it_is_given_up_and_only_inside() -> None:
    given_up = False
    with asking(lambda: given_up):
        checkpoint()
        given_up = True
        with pytest.raises(GivenUp):
            checkpoint()
    checkpoint()


@pytest.mark.parametrize("steps", range(7))
def test_a_pipeline_stops_between_any_two_of_its_steps(tmp_path: Path, steps: int) -> None:
    """Before the variant, before each of its operations, and before it is encoded."""
    source = tmp_path / "source"
    source.write_bytes(picture_bytes())
    variant = {"name": "slow", "operations": OPERATIONS, "format": "jpeg"}
    recipes = Pipeline.model_validate({"variants": [variant]}).variants
    asked = 0

    def is_given_up() -> bool:
        nonlocal asked
        asked += 1
        return asked > steps

    with asking(is_given_up):
        variants = render(source, probe(source, Limits()), recipes)
        if steps == len(OPERATIONS) + 2:
            assert len(list(variants)) == 1
        else:
            with pytest.raises(GivenUp):
                list(variants)

"""The presets as an operator writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.imaging import DEFAULT_PRESETS
from service.presets import explained, read_presets

CARD = """
[card]
operations = [{op = "resize", width = 600, height = 400, fit = "cover"}, {op = "sharpen"}]
format = "webp"
quality = 80

[page]
operations = [{op = "resize", width = 1280}]
frame = 2
"""


def test_without_a_setting_there_are_those_built_in() -> None:
    assert read_presets(" ") is DEFAULT_PRESETS


def test_a_table_of_a_file_is_what_an_entry_of_a_list_is(tmp_path: Path) -> None:
    file = tmp_path / "presets.toml"
    file.write_text(CARD)
    inline = """[
        {"name": "card", "format": "webp", "quality": 80, "operations": [
            {"op": "resize", "width": 600, "height": 400, "fit": "cover"}, {"op": "sharpen"}]},
        {"name": "page", "operations": [{"op": "resize", "width": 1280}], "frame": 2}
    ]"""

    assert read_presets(str(file)) == read_presets(inline)
    assert list(read_presets(str(file))) == ["card", "page"]
    page = explained(read_presets(inline)["page"], 2000, 1000)
    assert page.recipe.frame == 2
    assert "frames or pages number 2" in page.summary


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nowhere.toml", "names no file that can be read"),
        ('[{"name": "x"}, {"name": "x"}]', "two presets of the same name"),
        ('[{"name": "X"}]', "String should match pattern"),
        ("[1", "is no JSON list of recipes"),
    ],
)
def test_what_is_wrong_is_said(
    text: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=why):
        read_presets(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[card", "TOML"),
        ("quality = 3", "valid dictionary"),
        ("[card]\nqualty = 3", "card.*|qualty"),
        ("[card]\n[card]", "TOML"),
        ("[card]\nframe = 2\nanimated = true", "all frames"),
        ("card = " + "[" * 3000, "TOML"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(text: str, why: str, tmp_path: Path) -> None:
    file = tmp_path / "presets.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=why):
        read_presets(str(file))


def test_an_explanation_has_no_example_where_nothing_can_be_made() -> None:
    huge = '[{"name": "x", "operations": [{"op": "resize", "width": 9000, "enlarge": true}]}]'

    assert explained(read_presets(huge)["x"], 100, 100).example is None

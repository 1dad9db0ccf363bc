"""Names that clients give: shown, never used as a path."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.images import clean_filename


@given(st.text(max_size=400))
@example("a" * 254 + "é" * 9)
@example("\u0340" * 300)
@example("a \x00")
def test_a_cleaned_name_is_fit_to_be_shown(name: str) -> None:
    cleaned = clean_filename(name)

    assert 1 <= len(cleaned) <= 255
    assert not set(cleaned) & {"/", "\\"}
    assert not [letter for letter in cleaned if unicodedata.category(letter)[0] == "C"]
    assert cleaned.encode()  # no half of a surrogate pair


@given(st.text(max_size=400))
@example("a" * 254 + " b")
def test_cleaning_twice_changes_nothing_more(name: str) -> None:
    cleaned = clean_filename(name)

    assert clean_filename(cleaned) == cleaned


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("photo.jpg", "photo.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\photo.jpg", "photo.jpg"),
        ("/", "image"),
        ("", "image"),
        ("   ", "image"),
        ("a\r\nX-Evil: 1.jpg", "aX-Evil: 1.jpg"),
        ("\u202egpj.exe", "gpj.exe"),
        ("nul\x00byte.png", "nulbyte.png"),
        ("Zu\u0308rich.png", "Zürich.png"),
        ("写真.jpg", "写真.jpg"),
        ("x" * 300, "x" * 255),
    ],
)
def test_folders_and_controls_are_taken_off(given_name: str, shown: str) -> None:
    assert clean_filename(given_name) == shown

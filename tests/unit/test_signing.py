"""Signed addresses: only what was signed, by a key that is known, until it expires."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from service.signing import check_keys, has_expired, is_signed, sign

KEY, OTHER = "k" * 32, "o" * 32
ADDRESS = "/images/0193/render?w=600&fit=cover"


def parts(address: str) -> tuple[str, str]:
    path, _, query = address.partition("?")
    return path, query


def test_a_signature_is_the_hmac_of_the_address() -> None:
    # By OpenSSL: printf '%s' ADDRESS | openssl dgst -sha256 -hmac KEY
    assert sign(KEY, ADDRESS) == ADDRESS + (
        "&s=4e78c111d630f6cc9a68ade6dcfe809c9c66dd63945644acda85f947ea020dbc"
    )


@pytest.mark.parametrize("address", [ADDRESS, "/images/0193/render", "/images/0193/render?s=1"])
def test_what_is_signed_is_taken(address: str) -> None:
    assert is_signed([KEY], *parts(sign(KEY, address)))
    assert is_signed([OTHER, KEY], *parts(sign(KEY, address)))
    assert not is_signed([OTHER], *parts(sign(KEY, address)))
    assert not is_signed([], *parts(sign(KEY, address)))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("w=600", "w=601"),
        ("w=600&fit=cover", "fit=cover&w=600"),
        ("0193", "0194"),
        ("&s=", "&q=1&s="),
        ("&s=", "&S="),
        ("&s=", "&ss="),
        ("&s=", "s="),
        ("&s=", "&s=é"),
    ],
)
def test_what_was_changed_is_not(before: str, after: str) -> None:
    changed = sign(KEY, ADDRESS).replace(before, after, 1)

    assert not is_signed([KEY], *parts(changed))


@pytest.mark.parametrize("query", ["", "s=", "w=600", "w=600&s=", "=", "s", "&s="])
def test_what_was_never_signed_is_not(query: str) -> None:
    assert not is_signed([KEY], "/images/0193/render", query)


def test_what_follows_the_signature_is_part_of_it() -> None:
    assert not is_signed([KEY], *parts(sign(KEY, ADDRESS) + "&w=9"))


def test_an_address_may_expire() -> None:
    path, query = parts(sign(KEY, ADDRESS, expires=1000))

    assert is_signed([KEY], path, query)
    assert not has_expired(query, 1000)
    assert has_expired(query, 1000.5)
    assert not has_expired("w=600", 1e12)
    assert has_expired("e=never", 0)
    assert has_expired("e=1000&e=9999", 5000), "the earliest counts"


def test_a_key_that_could_be_guessed_is_refused() -> None:
    check_keys([KEY])
    with pytest.raises(ValueError, match="fewer than 32"):
        check_keys([KEY, "short"])


def test_the_documented_example_signs_alike() -> None:
    page = Path(__file__).parents[2] / "docs" / "pipelines.md"
    (example,) = re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S)
    names: dict[str, Any] = {}
    exec(example, names)

    assert names["signed"](KEY, ADDRESS) == sign(KEY, ADDRESS)

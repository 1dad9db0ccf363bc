"""Settings come from the environment or from `.env`; the cores from the container's quota."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from service.config import FORM_OVERHEAD_BYTES, Settings
from service.kinds import KINDS
from service.machine import usable_cores, usable_memory
from service.runtime import check, limited


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of its own and none of the developer's variables."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("PIXMILL_")]:
        monkeypatch.delenv(name)


def test_variables_of_the_environment_set_the_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXMILL_PORT", "81")
    monkeypatch.setenv("PIXMILL_UPLOADS", "/somewhere")

    settings = Settings()

    assert settings.port == 81
    assert settings.uploads == Path("/somewhere")


def test_a_dotenv_file_sets_the_fields(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PIXMILL_PORT=82\nPIXMILL_UNKNOWN=1\nOTHER=2\n")

    assert Settings().port == 82


def test_the_environment_wins_over_the_dotenv_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("PIXMILL_PORT=82\n")
    monkeypatch.setenv("PIXMILL_PORT", "83")

    assert Settings().port == 83


def test_an_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXMILL_PORT", "83")

    assert Settings(port=84).port == 84


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXMILL_PORT", "")

    assert Settings().port == 8000


@pytest.mark.parametrize(
    ("name", "given", "taken"),
    [
        ("FORMATS", "jpeg,png", ("jpeg", "png")),
        ("FORMATS", " jpeg , png ", ("jpeg", "png")),
        ("CORS_ORIGINS", "https://a.example,https://b.example",
         ("https://a.example", "https://b.example")),
        ("CORS_ORIGINS", "*", ("*",)),
    ],
)  # fmt: skip
def test_lists_are_separated_by_commas(
    monkeypatch: pytest.MonkeyPatch, name: str, given: str, taken: tuple[str, ...]
) -> None:
    monkeypatch.setenv(f"PIXMILL_{name}", given)

    assert getattr(Settings(), name.lower()) == taken


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("port", 65_536),
        ("port", -1),
        ("threads", -1),
        ("max_upload_bytes", 0),
        ("max_queued_tasks", 0),
        ("lease_seconds", 0),
        ("max_files", 101),
        ("engine", "a-fifth"),
        ("log_format", "xml"),
    ],
)
def test_values_out_of_range_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(**{field: value})  # type: ignore[arg-type]

    assert refused.value.errors()[0]["loc"] == (field,)


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]


def test_secrets_are_not_shown() -> None:
    settings = Settings(smtp_url="smtp://me:hunter2@mail", webhook_secret="whsec_x")

    assert "hunter2" not in repr(settings)
    assert "whsec_x" not in repr(settings)


def test_every_setting_says_what_it_is() -> None:
    assert not [name for name, field in Settings.model_fields.items() if not field.description]


def test_a_request_may_be_one_largest_file_and_its_form() -> None:
    assert Settings(max_upload_bytes=10).request_bytes == 10 + FORM_OVERHEAD_BYTES
    assert Settings(max_upload_bytes=10, max_request_bytes=7).request_bytes == 7


def test_threads_are_the_cores_unless_they_are_set() -> None:
    assert Settings(threads=3).pixel_threads == 3
    assert Settings().pixel_threads == usable_cores()


CORES = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "100000 100000\n"}, 1),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "99900000 100000\n"}, CORES),
        ({"cpu.max": "max 100000\n"}, CORES),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, CORES),
        ({"cpu/cpu.cfs_quota_us": "100000\n"}, CORES),
        ({"cpu.max": "nonsense"}, CORES),
        ({}, CORES),
    ],
    ids=["v2-one", "v2-half", "v2-many", "v2-max", "v1-one", "v1-none", "v1-part", "odd", "none"],
)
def test_cores_are_cut_by_the_containers_quota(
    tmp_path: Path, files: dict[str, str], cores: int
) -> None:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    assert usable_cores(tmp_path) == cores


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"memory.max": "805306368\n"}, 805306368),
        ({"memory.max": "max\n"}, None),
        ({"memory/memory.limit_in_bytes": "67108864\n"}, 67108864),
        ({"memory/memory.limit_in_bytes": "9223372036854771712\n"}, None),
        ({"memory.max": "nonsense"}, None),
        ({}, None),
    ],
    ids=["v2", "v2-max", "v1", "v1-none", "odd", "none"],
)
def test_memory_is_the_containers_or_the_machines(
    tmp_path: Path, files: dict[str, str], limit: int | None
) -> None:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert usable_memory(tmp_path) == (limit or physical)


def test_memory_for_pictures_is_shared_by_the_processes() -> None:
    assert Settings(memory_bytes=100).picture_bytes == 100
    assert Settings(memory_bytes=100, workers=4).picture_bytes == 25
    assert Settings(memory_bytes=100, engine="celery", threads=2).picture_bytes == 50
    assert Settings().picture_bytes == int(0.6 * usable_memory())


def test_time_limits_are_pairs_of_kinds_and_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXMILL_TIME_LIMITS", "image.process=60, item.process=0.5")

    kinds = {kind.name: kind for kind in limited(KINDS, Settings())}

    assert kinds["image.process"].time_limit == 60
    assert kinds["item.process"].time_limit == 0.5
    assert list(kinds) == [kind.name for kind in KINDS]
    assert kinds["image.erase"] in KINDS


@pytest.mark.parametrize(
    "given", ["image.process", "image.process=", "=5", "image.process=0", "a=-1", "a=inf", "a=nan"]
)
def test_what_is_no_time_limit_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("PIXMILL_TIME_LIMITS", f"item.process=5,{given}")

    with pytest.raises(ValidationError, match=given):
        Settings()


def test_a_time_limit_of_a_kind_that_is_not_there_is_named_at_the_start() -> None:
    with pytest.raises(ValueError, match=r"PIXMILL_TIME_LIMITS .*'image.proces'"):
        check(Settings(time_limits="image.proces=5"), KINDS)

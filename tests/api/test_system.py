"""What operators and frontends ask: health, metrics, limits, presets; and request ids and CORS."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from service.config import Settings
from service.models import new_id
from tests.api.asking import JPEG, problem, upload
from tests.servers import Served, until

MakeService = Callable[..., Served]
Series = tuple[str, frozenset[tuple[str, str]]]


def samples(client: httpx.Client) -> list[Sample]:
    text = client.get("/metrics").raise_for_status().text
    return [one for family in text_string_to_metric_families(text) for one in family.samples]


def ours(found: Iterable[Sample]) -> list[Sample]:
    """Those that are not the library's own about the process and its platform."""
    return [one for one in found if not one.name.startswith(("process_", "python_"))]


def series(found: Iterable[Sample]) -> set[Series]:
    return {(one.name, frozenset(one.labels.items())) for one in ours(found)}


def value(found: Iterable[Sample], name: str, **labels: str) -> float:
    return sum(
        one.value for one in found if one.name == name and labels.items() <= one.labels.items()
    )


@pytest.fixture(scope="module")
def busy(service: Served) -> Served:
    """A service that has done something of everything."""
    client, item_id = service.client, f"item-{new_id()}"
    service.image(upload(client, item_id=item_id)["id"])
    client.post("/images", files={"file": b"no image"})
    for path in (f"/items/{item_id}", f"/process/{item_id}", f"/items/{item_id}/process"):
        for task_id in client.post(path).json()["task_ids"]:
            service.task(task_id)
    client.post("/users", json={"email": f"{new_id()}@example.com"}).raise_for_status()
    return service


# Health


def test_the_process_answers(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok", "checks": {}}


def test_a_service_that_is_well_is_ready(client: httpx.Client) -> None:
    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "checks": {"database": "ok", "storage": "ok", "engine": "ok"},
    }


def test_a_service_whose_disk_is_nearly_full_is_alive_but_not_ready(
    make_service: MakeService,
) -> None:
    client = make_service(min_free_bytes=2**60).client

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["status"] == "unready"
    assert answer.json()["checks"] == {
        "database": "ok",
        "storage": "The disk is nearly full.",
        "engine": "ok",
    }
    assert client.get("/healthz").status_code == 200


def test_the_limits_are_the_settings(make_service: MakeService) -> None:
    served = make_service(max_upload_bytes=1_000, max_files=3, formats=("jpeg",))
    settings = served.parts.runtime.settings

    limits = served.client.get("/limits").json()

    assert limits["max_request_bytes"] == settings.request_bytes
    assert (limits["max_upload_bytes"], limits["max_files"]) == (1_000, 3)
    assert limits["formats"] == ["jpeg"]
    named = {name: limits[name] for name in limits if name in Settings.model_fields}
    assert named | {"formats": None, "max_request_bytes": None} == {
        name: getattr(settings, name) for name in named
    } | {"formats": None, "max_request_bytes": None}


def test_the_presets_are_explained(client: httpx.Client) -> None:
    presets = client.get("/presets", params={"width": 600, "height": 300}).json()

    assert [one["name"] for one in presets] == ["thumbnail", "small", "medium", "large"]
    assert len({one["version"] for one in presets}) == 4
    assert presets[1]["summary"] == (
        "Fit into 400×400, then as JPEG, or WebP where transparent or drawn, quality 82."
    )
    size = {"of_width": 600, "of_height": 300, "width": 400, "height": 200, "format": "jpeg"}
    assert presets[1]["example"] == size
    recipes = [one["recipe"] for one in presets]
    document = client.post(
        "/images",
        files={"file": JPEG},
        data={"preset": "none", "pipeline": json.dumps({"variants": recipes})},
    )
    assert document.status_code == 202  # what is shown can be sent back


def test_presets_of_the_operators_own_replace_those_built_in(make_service: MakeService) -> None:
    served = make_service(
        presets='[{"name": "tiny", "operations": [{"op": "resize", "width": 9}]}]'
    )

    assert [one["name"] for one in served.client.get("/presets").json()] == ["tiny"]
    document = served.image(upload(served.client)["id"])
    assert [(one["name"], one["width"]) for one in document["variants"]] == [("tiny", 9)]


# Metrics


def test_every_series_has_the_prefix(busy: Served) -> None:
    assert {one.name.split("_")[0] for one in ours(samples(busy.client))} == {"pixmill"}


def test_series_of_fixed_sets_are_there_from_the_start(
    make_service: MakeService, busy: Served
) -> None:
    fresh = series(samples(make_service().client))
    later = series(samples(busy.client))
    bounded = ("pixmill_http_",)  # by route

    assert {one for one in later - fresh if not one[0].startswith(bounded)} == set()


def test_what_happened_is_counted(make_service: MakeService) -> None:
    served = make_service()
    client = served.client
    document = served.image(upload(client)["id"])
    client.post("/images", files={"file": b"no image"})
    name = "pixmill_task_attempts_total"
    until(lambda: value(samples(client), name, outcome="succeeded"), "the count")

    found = samples(client)

    assert value(found, name, kind="image.process", outcome="succeeded") == 1
    assert value(found, "pixmill_tasks_enqueued_total", kind="image.process") == 1
    assert value(found, "pixmill_uploads_total", outcome="accepted") == 1
    assert value(found, "pixmill_uploads_total", reason="unsupported_format") == 1
    assert value(found, "pixmill_upload_bytes_total") == len(JPEG)
    assert value(found, "pixmill_variants_total", format="jpeg", outcome="ready") == 4
    assert value(found, "pixmill_variant_bytes_total") == sum(
        variant["size_bytes"] for variant in document["variants"]
    )
    assert value(found, "pixmill_http_requests_total", route="/images", status="202") == 1
    assert value(found, "pixmill_image_stage_duration_seconds_count", stage="encode") == 4
    assert value(found, "pixmill_uploads_in_progress") == 0


def test_waiting_tasks_are_shown_by_kind_status_and_priority(make_service: MakeService) -> None:
    client = make_service(engine="none").client
    upload(client, priority="high")
    client.post("/items/7/process")

    found = samples(client)

    assert value(found, "pixmill_tasks", kind="image.process", status="queued") == 1
    assert value(found, "pixmill_tasks", kind="item.notify_admin", status="waiting") == 1
    assert value(found, "pixmill_queue_depth", priority="high") == 1
    assert value(found, "pixmill_queue_depth", priority="normal") == 1
    assert value(found, "pixmill_task_oldest_age_seconds", priority="high") > 0


def test_no_label_holds_an_id_a_name_or_an_address(busy: Served) -> None:
    labels = {
        label
        for one in ours(samples(busy.client))
        for name, label in one.labels.items()
        if name not in ("version", "python", "pillow")
    }

    assert not [label for label in labels if re.search(r"[0-9a-f]{12}|@|item-", label)]


def test_requests_to_nowhere_share_one_series(make_service: MakeService) -> None:
    client = make_service().client
    for n in range(20):
        client.get(f"/nowhere/{n}")
    for method in ("PROPFIND", "MKCOL", "LOCK", "REPORT"):
        client.request(method, "/images")

    found = [one for one in samples(client) if one.name == "pixmill_http_requests_total"]

    assert {one.labels["route"] for one in found} == {"unmatched", "/images"}
    assert {one.labels["method"] for one in found} == {"GET", "other"}
    assert value(found, "pixmill_http_requests_total", route="unmatched", status="404") == 20


@pytest.mark.parametrize("name", ["pixmill_task_run_seconds", "pixmill_task_wait_seconds"])
def test_the_buckets_reach_the_longest_time_limit_of_an_image(busy: Served, name: str) -> None:
    bounds = {
        float(one.labels["le"]) for one in samples(busy.client) if one.name == f"{name}_bucket"
    }

    assert sorted(bounds)[-2:] == [120, float("inf")]


# Requests


def test_a_request_has_an_id_of_its_own(client: httpx.Client) -> None:
    ids = [client.get("/healthz").headers["x-request-id"] for _ in range(3)]

    assert len(set(ids)) == 3


def test_a_callers_own_id_is_kept(client: httpx.Client) -> None:
    answer = client.get("/nix", headers={"x-request-id": "My.Id_7-x"})

    assert answer.headers["x-request-id"] == "My.Id_7-x"
    assert problem(answer, 404, "not_found")["request_id"] == "My.Id_7-x"


@pytest.mark.parametrize("forged", ["a b", "x" * 65, "{}", "a;b", ""])
def test_a_callers_id_that_is_not_fit_for_a_log_is_not(client: httpx.Client, forged: str) -> None:
    answer = client.get("/healthz", headers={"x-request-id": forged})

    assert answer.headers["x-request-id"] != forged
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", answer.headers["x-request-id"])


PAGE = "https://page.example"


def test_a_page_of_an_allowed_origin_may_call_and_read_the_location(
    make_service: MakeService,
) -> None:
    client = make_service(engine="none", cors_origins=(PAGE,)).client
    asks = {
        "origin": PAGE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-request-id",
    }

    preflight = client.options("/images", headers=asks)
    answer = client.post("/images", files={"file": JPEG}, headers={"origin": PAGE})
    refusal = client.post("/images", files={"file": b""}, headers={"origin": PAGE})

    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == PAGE
    assert "POST" in preflight.headers["access-control-allow-methods"]
    for one in (answer, refusal):
        assert one.headers["access-control-allow-origin"] == PAGE
        exposed = one.headers["access-control-expose-headers"].lower().split(", ")
        assert {"location", "retry-after", "x-request-id"} <= set(exposed)


def test_a_page_of_another_origin_may_not(make_service: MakeService) -> None:
    client = make_service(engine="none", cors_origins=(PAGE,)).client

    answer = client.get("/images", headers={"origin": "https://evil.example"})

    assert "access-control-allow-origin" not in answer.headers


def test_without_the_setting_no_page_may(client: httpx.Client) -> None:
    answer = client.get("/images", headers={"origin": PAGE})

    assert not [name for name in answer.headers if name.startswith("access-control")]

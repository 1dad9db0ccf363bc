"""The OpenAPI document, and requests generated from it: no answer is one it does not declare."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from service.app import create_app
from service.config import Settings
from tests.servers import Served

DOCUMENT: dict[str, Any] = create_app(Settings(_env_file=None)).openapi()
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = {
    found.ok().label: found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)
}
#: Requests an operation, right ones and wrong ones each.
EXAMPLES = 12


def takes_anything(operation: dict[str, Any]) -> bool:
    return bool(operation.get("parameters")) or "requestBody" in operation


#: Its answer has no end; `test_events.py` follows it.
ENDLESS = "GET /events"
#: Every operation, with requests as declared and, where it takes anything, with wrong ones.
ASKED = [
    pytest.param(label, mode, id=f"{label} {mode.value}")
    for label, operation in OPERATIONS.items()
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or takes_anything(operation.definition.raw)
    if label != ENDLESS
]


@pytest.mark.parametrize(("label", "mode"), ASKED)
def test_no_generated_request_gets_an_answer_that_is_not_declared(
    service: Served, label: str, mode: GenerationMode
) -> None:
    operation = OPERATIONS[label]

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case[Any]) -> None:
        answer = case.call(base_url=service.url)
        case.validate_response(
            answer,
            checks=[
                not_a_server_error,
                status_code_conformance,
                content_type_conformance,
                response_schema_conformance,
            ],
        )

    ask()


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
    ]


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    operations(),
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_every_route_says_what_it_does_and_how_it_may_fail(
    method: str, path: str, operation: dict[str, Any]
) -> None:
    answers = operation["responses"]

    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"]
    if "_id}" in path and not path.startswith(("/items", "/process")):
        assert "404" in answers
    if method == "POST" and not path.startswith("/tasks"):
        assert "503" in answers
    if takes_anything(operation):
        assert "422" in answers
    for status, answer in answers.items():
        if int(status) >= 400 and path != "/readyz":
            assert list(answer["content"]) == ["application/problem+json"], status


def test_the_document_is_served_as_it_is(client: httpx.Client) -> None:
    assert client.get("/openapi.json").json() == DOCUMENT

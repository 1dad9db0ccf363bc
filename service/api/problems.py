"""Errors as problem documents. Source: RFC 9457."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service.api.closing import ClosingResponse
from service.errors import Invalid, ServiceError
from service.logs import current_request_id, logger
from service.schemas import FieldError, Problem

log = logger(__name__)

MEDIA_TYPE = "application/problem+json"
#: Codes of what the framework itself refuses, by status.
_HTTP_CODES = {
    400: ("malformed_body", "The body does not follow its own content type"),
    404: ("not_found", "There is no such thing"),
    405: ("method_not_allowed", "The method is not offered here"),
    413: ("too_large", "The body is larger than the limit"),
}


def problem_of(error: ServiceError) -> Problem:
    """The document of one of our errors."""
    return Problem(
        type=f"urn:pixmill:problem:{error.code}",
        title=error.title,
        status=error.status,
        detail=error.detail,
        code=error.code,
        request_id=current_request_id(),
        field=error.field,
        limit=error.limit,
        actual=error.actual,
    )


def responses(*errors: type[ServiceError]) -> dict[int | str, dict[str, Any]]:
    """What a route's OpenAPI entry says of the errors it may answer with."""
    declared: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        entry = declared.setdefault(error.status, {"description": ""})
        codes = [part for part in (entry["description"], f"`{error.code}`: {error.title}.") if part]
        entry["description"] = " ".join(codes)
        entry["content"] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return declared


async def on_service_error(_: Request, error: Exception) -> Response:
    """Answer with one of our errors."""
    if not isinstance(error, ServiceError):
        raise error
    headers = {}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if error.status >= 500:
        log.warning("refused", code=error.code, detail=error.detail)
    return _response(problem_of(error), headers)


async def on_validation_error(_: Request, error: Exception) -> Response:
    """Answer with what FastAPI found wrong, field by field."""
    if not isinstance(error, RequestValidationError):
        raise error
    return _response(_invalid(error), {})


async def on_http_exception(_: Request, error: Exception) -> Response:
    """Answer with what the framework refuses: an unknown path, a wrong method."""
    if not isinstance(error, HTTPException):
        raise error
    code, title = _HTTP_CODES.get(error.status_code, ("invalid", "The request is not valid"))
    problem = _framework_problem(error.status_code, code, title, str(error.detail))
    return _response(problem, error.headers or {})


def on_fault(error: Exception) -> Response:
    """The answer when nobody foresaw it: a bug, told to the log and not to the client."""
    log.error("request_failed", exc_info=error)
    detail = "The service failed; the log knows more under the request's id."
    return _response(_framework_problem(500, "error", "The service failed", detail), {})


def field_errors(error: RequestValidationError | ValidationError) -> list[FieldError]:
    """What is wrong in which field, the field as a dotted path."""
    return [
        FieldError(field=".".join(str(part) for part in one["loc"]), detail=one["msg"])
        for one in error.errors()
    ]


def _invalid(error: RequestValidationError) -> Problem:
    errors = field_errors(error)
    return problem_of(Invalid(errors[0].detail, field=errors[0].field)).model_copy(
        update={"errors": errors}
    )


def _framework_problem(status: int, code: str, title: str, detail: str) -> Problem:
    return Problem(
        type=f"urn:pixmill:problem:{code}",
        title=title,
        status=status,
        detail=detail,
        code=code,
        request_id=current_request_id(),
    )


def _response(problem: Problem, headers: Mapping[str, str]) -> Response:
    return ClosingResponse(
        problem.model_dump_json(exclude_none=True),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=dict(headers),
    )

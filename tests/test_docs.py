"""The documentation holds what the code holds: each comparison fails when one of them lags."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
from prometheus_client import Metric
from prometheus_client.metrics import MetricWrapperBase
from pydantic import SecretStr, TypeAdapter

from service import errors
from service.app import create_app
from service.cli import cli
from service.config import Settings
from service.errors import ServiceError
from service.images import MAX_PIXELS_TOGETHER
from service.imaging import DEFAULT_PRESETS, Operation, Pipeline, Probe, Recipe, plan
from service.imaging.encode import MAX_SIDE_PX as FORMAT_SIDES
from service.imaging.geometry import place
from service.imaging.planning import MAX_MOVING_PIXELS, MAX_WORK
from service.imaging.presets import MAX_OPERATIONS, MAX_VARIANTS
from service.imaging.words import MAX_OUTPUT_PIXELS, MAX_SIDE_PX, Fit, Resize
from service.kinds import KINDS
from service.metrics import Metrics
from service.notifiers import CHANNELS
from service.schemas import ImageDocument, VariantDocument
from service.tasks.words import STATUSES
from tests.torture.stops import POINTS

ROOT = Path(__file__).parent.parent
PAGES = (
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").glob("*.md")),
)
#: Codes the framework's own refusals get; the others are classes in `service.errors`.
FRAMEWORK_CODES = {("405", "method_not_allowed"), ("500", "error")}

Row = tuple[str, ...]


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(name: str, heading: str) -> str:
    """A page's text from a heading to the next one of its own rank or a higher one."""
    rank = len(heading) - len(heading.lstrip("#"))
    text = page(name)
    assert f"\n{heading}\n" in text, f"{name} has no section {heading!r}"
    rest = text.split(f"\n{heading}\n", 1)[1]
    return re.split(rf"^#{{1,{rank}}} ", _blanked(rest), maxsplit=1, flags=re.M)[0]


def _blanked(text: str) -> str:
    """The text without its code blocks, where a line may begin with `#` for another reason."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)


def table(text: str) -> list[Row]:
    """All rows of the tables in a text, without their heads and rules."""
    rows = [_cells(line) for line in text.splitlines() if line.startswith("|")]
    rules = [at for at, row in enumerate(rows) if all(set(cell) <= {"-"} for cell in row)]
    return [row for at, row in enumerate(rows) if at not in rules and at + 1 not in rules]


def _cells(line: str) -> Row:
    return tuple(cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1])


def bare(cell: str) -> str:
    return cell.strip("`")


def fences(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


# Settings


def _shown(value: Any) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, tuple):
        value = ",".join(value)
    return f"`{value}`" if str(value) else "empty"


def test_every_setting_is_documented_with_its_default_and_meaning() -> None:
    fields = Settings.model_fields.items()

    assert sorted(table(section("docs/operations.md", "## Settings"))) == sorted(
        (f"`PIXMILL_{name.upper()}`", _shown(field.default), field.description or "")
        for name, field in fields
    )


def test_the_readme_gives_the_defaults_of_the_settings_it_names() -> None:
    rows = table(section("README.md", "## Configuration"))

    assert rows
    for variable, default, _ in rows:
        name = bare(variable).removeprefix("PIXMILL_").lower()
        assert default == _shown(Settings.model_fields[name].default)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_no_page_names_a_setting_that_is_not_there(path: Path) -> None:
    named = set(re.findall(r"PIXMILL_([A-Z_]*[A-Z])", path.read_text(encoding="utf-8")))

    assert {name.lower() for name in named} <= set(Settings.model_fields)


# Metrics


def _series() -> Iterator[Metric]:
    registry = Metrics([kind.name for kind in KINDS], CHANNELS).registry
    return (one for one in registry.collect() if one.name.startswith("pixmill_"))


def test_every_metric_is_documented_with_its_type() -> None:
    documented = {
        (bare(row[0]), row[1]) for row in table(section("docs/operations.md", "## Metrics"))
    }

    assert documented == {
        (f"{one.name}_total" if one.type == "counter" else one.name, one.type) for one in _series()
    }


def test_every_metric_is_documented_with_its_labels() -> None:
    # Samples do not show the labels of a series that has not been used: the collectors do.
    registry = Metrics([kind.name for kind in KINDS], CHANNELS).registry
    live = [vars(one) for one in registry._collector_to_names if isinstance(one, MetricWrapperBase)]
    labels = {one["_name"]: one["_labelnames"] for one in live}

    for name, _, documented, meaning in table(section("docs/operations.md", "## Metrics")):
        assert (
            tuple(re.findall(r"`(\w+)`", documented)) == labels[bare(name).removesuffix("_total")]
        )
        assert meaning


def test_alerts_name_metrics_and_labels_that_are_there() -> None:
    live = {f"{one.name}_total" if one.type == "counter" else one.name for one in _series()}
    named = set(re.findall(r"pixmill_\w+", section("docs/operations.md", "## Alerts")))

    assert named
    assert named <= live


# Routes, errors, documents


@cache
def _openapi() -> dict[str, Any]:
    return create_app(Settings.model_construct()).openapi()


def _routes() -> set[str]:
    paths = _openapi()["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}


def test_every_route_has_a_section() -> None:
    documented = re.findall(r"^### `([A-Z]+ /\S*)`$", page("docs/api.md"), re.M)

    assert len(documented) == len(set(documented))
    assert set(documented) == _routes()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_no_page_names_a_route_that_is_not_there(path: Path) -> None:
    routes = {re.sub(r"\{\w+\}", "{}", route) for route in _routes()}
    named = re.findall(r"`((?:GET|POST|DELETE|PUT|PATCH) /[^`?]*)[`?]", path.read_text("utf-8"))

    assert {re.sub(r"\{\w+\}", "{}", route) for route in named} <= routes


def _classes(of: type[ServiceError] = ServiceError) -> Iterator[type[ServiceError]]:
    for one in of.__subclasses__():
        if one.__module__ == errors.__name__:
            if "code" in vars(one):
                yield one
            yield from _classes(one)


def test_every_error_is_documented_with_its_status() -> None:
    rows = table(section("docs/api.md", "## Errors"))
    documented = [(status, bare(code)) for status, code, *_ in rows]

    assert len(documented) == len(set(documented))
    assert set(documented) == FRAMEWORK_CODES | {(str(one.status), one.code) for one in _classes()}


def test_what_is_tried_again_is_documented() -> None:
    transient = {one.code: one.transient for one in _classes()}
    rows = [row for row in table(section("docs/api.md", "## Errors")) if row[3] in ("yes", "no")]

    assert rows
    for _, code, _, again in rows:
        assert transient[bare(code)] == (again == "yes")


@pytest.mark.parametrize(
    ("heading", "model"),
    [("## The image document", "ImageDocument"), ("## The task document", "TaskDocument")],
)
def test_every_field_of_a_document_is_documented(heading: str, model: str) -> None:
    schema = _openapi()["components"]["schemas"][model]
    cells = [row[0] for row in table(section("docs/api.md", heading))]

    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == set(
        schema["properties"]
    )


# Tasks


def test_every_kind_of_task_is_documented_as_it_is() -> None:
    documented = {
        (bare(kind), *rest) for kind, _, *rest in table(section("docs/tasks.md", "## Kinds"))
    }

    assert documented == {
        (
            kind.name,
            kind.priority.label,
            str(kind.retry.max_attempts),
            f"{kind.retry.base_seconds:g}",
            f"{kind.retry.cap_seconds:g}",
            f"{kind.time_limit:g}",
            kind.lane.value,
        )
        for kind in KINDS
    }


def test_every_status_of_a_task_is_documented() -> None:
    rows = table(section("docs/tasks.md", "## States"))

    assert tuple(sorted(bare(row[0]) for row in rows)) == tuple(sorted(STATUSES))


def test_the_diagram_of_states_is_the_codes_own() -> None:
    source = page("service/tasks/rows/__init__.py")
    diagram = page("docs/tasks.md").split("## States\n\n```\n", 1)[1].split("```", 1)[0]

    assert [line.strip() for line in diagram.splitlines()] == [
        line.strip() for line in source.split("\n\n")[1].splitlines()
    ]


def test_every_line_a_timeline_can_hold_is_documented() -> None:
    sources = [path.read_text("utf-8") for path in (ROOT / "service/tasks/rows").glob("*.py")]
    noted = re.findall(r"\((?:\w+\.)?(?:id|task_id|following), \"(\w+)\",", "\n".join(sources))
    made_up = re.findall(r'kind="(\w+)", detail', page("service/tasks/queries.py"))
    documented = [bare(row[0]) for row in table(section("docs/tasks.md", "## Timeline"))]

    assert noted
    assert made_up
    assert sorted(documented) == sorted(set(noted) | set(made_up))


def test_every_event_is_documented() -> None:
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "service").rglob("*.py"))
    told = re.findall(r'(?:after_commit\(\w+, |publish\(Event\()"(\w+\.\w+)"', sources)

    assert {bare(row[0]) for row in table(section("docs/tasks.md", "## Events"))} == set(told)


def test_every_log_event_is_documented_with_its_level() -> None:
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "service").rglob("*.py"))
    logged = {
        (name, "error" if level == "exception" else level)
        for level, name in re.findall(r'log\.(\w+)\(\s*"(\w+)"', sources)
    }
    documented = {
        (name, level)
        for names, level, _ in table(section("docs/operations.md", "## Logs"))
        for name in re.findall(r"`(\w+)`", names)
    }

    assert documented == logged


# Pipelines


def _operations() -> dict[str, dict[str, Any]]:
    definitions = TypeAdapter(Operation).json_schema()["$defs"].values()
    schemas = (one["properties"] for one in definitions if "op" in one.get("properties", ()))
    return {properties["op"]["const"]: properties for properties in schemas}


def _parameter(schema: dict[str, Any]) -> Row:
    bounds = next((one for one in schema.get("anyOf", ()) if "minimum" in one), schema)
    default = json.dumps(schema["default"]).strip('"') if "default" in schema else "required"
    return default, str(bounds.get("minimum", "")), str(bounds.get("maximum", ""))


def test_every_operation_has_a_section() -> None:
    documented = re.findall(r"^### `(\w+)`$", page("docs/pipelines.md"), re.M)

    assert sorted(documented) == sorted(_operations())


@pytest.mark.parametrize("name", _operations())
def test_every_parameter_of_an_operation_is_documented_with_its_bounds(name: str) -> None:
    rows = table(section("docs/pipelines.md", f"### `{name}`"))
    properties = {key: value for key, value in _operations()[name].items() if key != "op"}

    assert {bare(row[0]): row[1:4] for row in rows} == {
        key: _parameter(value) for key, value in properties.items()
    }


def test_the_table_of_fits_holds_what_is_made() -> None:
    text = section("docs/pipelines.md", "## Fit")
    (head,) = (line for line in text.splitlines() if line.startswith("| fit |"))
    boxes = [tuple(map(int, re.findall(r"\d+", cell))) for cell in _cells(head)[1:]]
    enlarge = ["enlarge" in cell for cell in _cells(head)[1:]]
    rows = {bare(row[0]): row[1:] for row in table(text)}

    assert sorted(rows) == sorted(Fit)
    for fit, shown in rows.items():
        for (width, height), larger, size in zip(boxes, enlarge, shown, strict=True):
            resize = Resize(width=width, height=height, fit=Fit(fit), enlarge=larger)
            assert size == "{}×{}".format(*place((4000, 3000), resize).size), (fit, width)


def test_a_fit_of_the_table_is_what_a_plan_foretells() -> None:
    probe = Probe("jpeg", "image/jpeg", 4000, 3000, 1, 1, False)
    recipe = Recipe(name="x", operations=(Resize(width=1600, height=400, fit=Fit.INSIDE),))
    planned = plan(probe, recipe)

    assert f"| `inside` | 800×600 | {planned.width}×{planned.height} |" in page("docs/pipelines.md")


def test_the_presets_are_documented() -> None:
    documented = {bare(row[0]): row[1] for row in table(section("docs/pipelines.md", "## Presets"))}

    assert list(documented) == list(DEFAULT_PRESETS)
    for name, recipe in DEFAULT_PRESETS.items():
        (resize,) = recipe.operations
        assert isinstance(resize, Resize)
        assert documented[name] == f"{resize.width}×{resize.height}, `{resize.fit}`"


def test_the_fixed_limits_are_documented() -> None:
    rows = table(section("docs/pipelines.md", "## Limits"))
    limits = (
        MAX_VARIANTS,
        MAX_OPERATIONS,
        MAX_SIDE_PX,
        MAX_OUTPUT_PIXELS,
        MAX_WORK,
        MAX_MOVING_PIXELS,
        MAX_PIXELS_TOGETHER,
    )

    assert [row[1] for row in rows] == [str(limit) for limit in limits]


def test_the_formats_are_documented_with_their_longest_side() -> None:
    rows = table(section("docs/pipelines.md", "## Formats"))

    assert {bare(row[0]): row[3] for row in rows} == {
        name: str(min(side, MAX_SIDE_PX)) for name, side in FORMAT_SIDES.items()
    }


def test_a_recipes_fields_are_documented() -> None:
    rows = {bare(row[0]): row[1] for row in table(section("docs/pipelines.md", "## Recipes"))}
    fields = Recipe.model_fields

    assert list(rows) == list(fields)
    assert rows["quality"] == str(fields["quality"].default)
    assert bare(rows["format"]) == fields["format"].default


def test_examples_of_pipelines_and_presets_are_valid() -> None:
    kinds: TypeAdapter[Any] = TypeAdapter(Pipeline | list[Recipe])
    examples = fences(page("docs/pipelines.md"), "json")

    assert len(examples) >= 2
    for example in examples:
        kinds.validate_python(json.loads(example))


# Commands, targets, links, rooms


def test_every_command_is_documented_with_its_options() -> None:
    commands = typer.main.get_command(cli).commands  # type: ignore[attr-defined] # it is a group
    documented = {
        bare(name).removeprefix("pixmill "): set(re.findall(r"`(--[\w-]+)`", options))
        for name, options, _ in table(section("docs/operations.md", "## The command line"))
    }

    assert documented == {
        name: {
            flag
            for option in command.params
            for flag in (*option.opts, *option.secondary_opts)
            if flag.startswith("--")
        }
        for name, command in commands.items()
    }


def _targets() -> dict[str, str]:
    return dict(re.findall(r"^([a-z-]+):.*?## (.+)$", page("Makefile"), re.M))


def test_every_make_target_is_documented() -> None:
    rows = dict(row for row in table(page("CONTRIBUTING.md")) if len(row) == 2)

    assert rows == {f"`make {name}`": text for name, text in _targets().items()}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_test_that_is_named_exists(path: Path) -> None:
    for name in re.findall(r"`(tests/[\w/]+\.py)`", path.read_text("utf-8")):
        assert (ROOT / name).exists(), name


def test_every_point_of_torture_is_documented() -> None:
    tables = table(section("docs/tasks.md", "## What fails, and who handles it"))

    assert [bare(row[0]) for row in tables if row[0].startswith("`")] == list(POINTS)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_make_target_that_is_named_exists(path: Path) -> None:
    text = path.read_text("utf-8")
    commands = "\n".join(fences(text, "sh"))
    named = re.findall(r"`make ([a-z-]+)`", text) + re.findall(r"^make ([a-z-]+)", commands, re.M)

    assert set(named) <= set(_targets())


def test_the_readme_begins_with_the_two_commands() -> None:
    first = fences(page("README.md"), "sh")[0]

    assert re.findall(r"^make (\w+)", first, re.M) == ["run", "test"]


def test_the_readmes_answer_has_every_field_of_the_document() -> None:
    (answer,) = (one for one in fences(page("README.md"), "") if "202 Accepted" in one)
    image = json.loads(answer[answer.index("{") :])

    assert list(image) == list(ImageDocument.model_fields)
    for variant in image["variants"]:
        assert set(variant) == set(VariantDocument.model_fields)


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _blanked(path.read_text("utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        file = (path.parent / target).resolve() if target else path
        assert file.exists(), link
        if anchor:
            assert anchor in _anchors(file), link


def test_every_module_has_its_place_in_the_tree() -> None:
    tree = page("docs/architecture.md").split("## The rooms", 1)[1].split("```")[1]
    named = re.findall(r"[\w]+\.py", tree)
    modules = [
        path.name
        for path in (ROOT / "service").rglob("*.py")
        if path.name != "__init__.py" and path.parent.name != "versions"
    ]

    assert sorted(named) == sorted(modules)


def test_the_import_contracts_are_the_projects_own() -> None:
    text = page("docs/architecture.md").split("## Who may import whom", 1)[1]
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]

    named = re.findall(r"^- \*\*(.+?)\*\*", text.split("\n## ", 1)[0], re.M)
    assert [name.rstrip(".") for name in named] == [one["name"] for one in contracts]
    assert text.split("```")[1].strip().splitlines() == contracts[0]["layers"]

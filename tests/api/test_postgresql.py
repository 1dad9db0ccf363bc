"""The server goes away under the running service, and comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from tests import postgres
from tests.api.asking import JPEG, problem, stored, upload
from tests.postgres import Server
from tests.servers import Served, until

pytestmark = pytest.mark.parametrize("backend", ["postgresql"], indirect=True)

MakeService = Callable[..., Served]


@pytest.fixture
def own_server(backend: str) -> Iterator[Server]:
    """A server that this test alone uses, and may stop."""
    folder = postgres.new_folder()
    yield postgres.one_server(folder)
    postgres.remove(folder)


def test_while_the_server_is_away_requests_are_refused_and_none_fails(
    own_server: Server, make_service: MakeService
) -> None:
    served = make_service(database_url=own_server.create(postgres.TEMPLATE))
    client = served.client
    before = served.image(upload(client)["id"])
    files = len(stored(served))

    own_server.stop("immediate")
    problem(client.get(f"/images/{before['id']}"), 503, "database_failed")
    problem(client.post("/images", files={"file": JPEG}), 503, "database_failed")
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["checks"]["storage"]) == (503, "ok")
    assert ready.json()["checks"]["database"] != "ok"
    assert client.get("/metrics").status_code == 200

    own_server.start()
    assert served.image(before["id"])["status"] == "ready"
    assert len(stored(served)) == files, "what was refused left no file"
    assert served.image(upload(client)["id"])["status"] == "ready"
    until(lambda: client.get("/readyz").status_code == 200, "readiness")


def test_a_restart_between_two_requests_is_not_noticed(
    own_server: Server, make_service: MakeService
) -> None:
    served = make_service(database_url=own_server.create(postgres.TEMPLATE), engine="none")
    document = upload(served.client)

    own_server.stop("immediate")
    own_server.start()

    assert served.client.get(f"/images/{document['id']}").status_code == 200
    upload(served.client)


def test_under_load_a_restart_loses_nothing_that_was_promised(
    own_server: Server, make_service: MakeService
) -> None:
    served = make_service(database_url=own_server.create(postgres.TEMPLATE))
    answers: list[httpx.Response] = []
    for number in range(30):
        if number == 10:
            own_server.stop("immediate")
        if number == 12:
            own_server.start()
        answers.append(served.client.post("/images", files={"file": JPEG}))

    assert {answer.status_code for answer in answers} == {202, 503}
    for answer in answers:
        if answer.status_code == 202:
            assert served.image(answer.json()["id"])["status"] == "ready"

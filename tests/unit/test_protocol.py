"""How much one read of a connection takes."""

from __future__ import annotations

from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from service.protocol import MAX_READ_BYTES, MIN_READ_BYTES, READ_BYTES_TOGETHER, Reading, reading

pytestmark = pytest.mark.anyio


def connected(state: ServerState, connections: int) -> Reading:
    """One of so many connections of a server."""
    protocol = None
    make = reading()
    for _ in range(connections):
        protocol = make(config=Config(_nothing, log_config=None), server_state=state, app_state={})
        state.connections.add(protocol._http)
    assert protocol is not None
    return protocol  # type: ignore[no-any-return]


async def _nothing(_scope: Any, _receive: Any, _send: Any) -> None:
    """An application that does not answer."""


@pytest.mark.parametrize(
    ("connections", "taken"),
    [(1, MAX_READ_BYTES), (32, READ_BYTES_TOGETHER // 32), (500, MIN_READ_BYTES)],
)
async def test_many_connections_read_less_each(connections: int, taken: int) -> None:
    protocol = connected(ServerState(), connections)

    assert len(protocol.get_buffer(-1)) == taken

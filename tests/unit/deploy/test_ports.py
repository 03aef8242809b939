"""The choice of ports."""

import socket

import pytest

from deploy.local import ports
from shared.errors import PlumblineError


def test_the_wished_port_is_taken_when_it_is_free() -> None:
    claim = ports.claim(23_000, taken=lambda _: False)
    assert claim.port == 23_000
    claim.release()


def test_the_next_free_port_replaces_one_that_is_taken() -> None:
    claim = ports.claim(23_010, taken=lambda port: port < 23_013)
    assert claim.port == 23_013
    claim.release()


def test_two_stacks_that_choose_at_the_same_time_get_different_ports() -> None:
    first = ports.claim(23_020, taken=lambda _: False)
    second = ports.claim(23_020, taken=lambda _: False)
    assert (first.port, second.port) == (23_020, 23_021)
    first.release()
    again = ports.claim(23_020, taken=lambda _: False)
    assert again.port == 23_020
    second.release()
    again.release()


def test_no_port_at_all_is_one_clear_error() -> None:
    with pytest.raises(PlumblineError, match="no free port from 65000 on"):
        ports.claim(65_000, taken=lambda _: True)


def test_candidates_end_at_the_last_port() -> None:
    assert ports.candidates(65_533) == [65_533, 65_534, 65_535]


def test_a_port_with_a_listener_is_seen_as_taken_on_any_address() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        assert ports.listening(server.getsockname()[1])
        port = server.getsockname()[1]
    assert not ports.listening(port)

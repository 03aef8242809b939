"""Time runs from left to right, two seconds a character: + answered, - not."""

from collections.abc import Callable

import pytest

from shared.lifeline import Lifeline


def moments(anew: str, *clients: str) -> list[int]:
    """At which places the lifeline was cut."""

    def answered(by: str) -> Callable[[], bool]:
        return lambda: by[at] == "+"

    lifeline = Lifeline([answered(client) for client in clients], answered(anew))
    cut = {}
    for at in range(len(anew)):
        cut[at] = lifeline.cut(2.0 * at)
    return [at for at, was in cut.items() if was]


@pytest.mark.parametrize(
    ("anew", "client"),
    [
        ("++++++++", "++++++++"),
        ("--------", "--------"),  # Kafka is away
        ("----++++", "------++"),  # and comes back: a client may take its time
        ("++++++++", "+---+---"),
        ("++-+++-+", "--------"),  # it comes and goes
    ],
)
def test_a_client_that_comes_back_in_time_is_left_alone(anew: str, client: str) -> None:
    assert moments(anew, client) == []


def test_a_client_that_alone_is_not_answered_for_eight_seconds_is_given_up() -> None:
    assert moments("----+++++++", "-----------") == [8, 9, 10]


def test_one_of_several_is_enough() -> None:
    assert moments("++++++", "++++++", "+-----") == [5]


def test_two_that_take_turns_are_both_well() -> None:
    assert moments("++++++++", "+-+-+-+-", "-+-+-+-+") == []

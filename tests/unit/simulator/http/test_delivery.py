"""The account of a run over HTTP: what it says, and when it is not good enough."""

from collections import Counter

import pytest

from shared.errors import PlumblineError
from simulator.faults import Fault
from simulator.http.delivery import Delivery
from simulator.stream import Sent
from simulator.summary import Summary


def test_what_was_accepted_rejected_as_planned_or_kept_is_good() -> None:
    codes = Counter(bad_metric=2, malformed=1)
    delivery = Delivery(handed_over=100, accepted=90, rejected=codes, planned=codes.copy(), spooled=7)
    delivery.check()
    assert "90 accepted and 3 rejected (2 bad_metric, 1 malformed) of 100; 7 in the spool" in delivery.text()


@pytest.mark.parametrize(
    ("delivery", "message"),
    [
        (Delivery(unsent=1_200), "1,200 events were not confirmed"),
        (Delivery(rejected=Counter(forbidden_device=3)), "no fault was planned for: 3 forbidden_device"),
        (Delivery(rejected=Counter(bad_metric=3), planned=Counter(bad_metric=2)), "planned for: 1 bad_metric"),
        (Delivery(planned=Counter(bad_metric=2)), "took events that were planned to be rejected: 2 bad_metric"),
    ],
)
def test_anything_else_is_an_error_that_says_how_many(delivery: Delivery, message: str) -> None:
    with pytest.raises(PlumblineError, match=message):
        delivery.check()


def test_over_http_malformed_events_are_expected_to_be_rejected_at_the_door() -> None:
    sent = Sent(events=100, records=100, faults=Counter({Fault.MALFORMED: 4}))
    kafka = Summary(sent, 1, 1, "", "", 1.0).document()
    http = Summary(sent, 1, 1, "", "", 1.0, Delivery(accepted=96)).document()
    assert (kafka["expected"]["dead_lettered"], kafka["expected"]["rejected"]) == (4, 0)
    assert (http["expected"]["dead_lettered"], http["expected"]["rejected"]) == (0, 4)
    assert "http" not in kafka
    assert http["http"]["accepted"] == 96

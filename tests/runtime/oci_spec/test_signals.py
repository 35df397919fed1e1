"""CRI's numbers and images' names for stop signals."""

from __future__ import annotations

import signal

import pytest

from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument
from podwright.runtime.oci_spec import signals


@pytest.mark.parametrize(("name", "number"), [item for item in api.Signal.items() if item[1]])
def test_cri_s_numbers_are_the_proto_s(name: str, number: int) -> None:
    spelt = name.removeprefix("SIGNAL_").replace("PLUS", "+").replace("MINUS", "-")
    assert signals.CRI_NAMES[number] == spelt
    kernel = signals.stop_signal(number, "")
    assert 1 <= kernel <= 64
    assert signals.number_of(signals.CRI_NAMES[signals.cri_number_of(kernel)]) == kernel


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("SIGTERM", 15),
        ("term", 15),
        (" SIGQUIT ", 3),
        ("37", 37),
        ("SIGRTMIN+3", 37),
        ("RTMAX-1", 63),
        ("SIGRTMAX", 64),
        ("SIGPOLL", int(signal.SIGIO)),
    ],
)
def test_images_names(name: str, number: int) -> None:
    assert signals.stop_signal(0, name) == number
    assert signals.stop_signal(api.SIGNAL_SIGUSR1, name) == signal.SIGUSR1


@pytest.mark.parametrize("name", ["SIGNONE", "0", "65", "SIGRTMIN+31", "SIGRTMIN-1", "RTMAX-31", "RTMIN+", "-9", "٣"])
def test_names_of_no_signal(name: str) -> None:
    with pytest.raises(InvalidArgument):
        signals.stop_signal(0, name)


def test_the_usual_one() -> None:
    assert signals.stop_signal(0, "") == signal.SIGTERM
    for number in (-1, len(signals.CRI_NAMES)):
        with pytest.raises(InvalidArgument):
            signals.stop_signal(number, "")

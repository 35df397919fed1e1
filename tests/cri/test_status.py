"""Every error has one gRPC code, and the code leads back to it. Only RuntimeFailed is Unknown to clients."""

from __future__ import annotations

import grpc
import pytest

from podwright import errors
from podwright.cri.status import CODES, code_of, error_from


def _leaves() -> list[type[errors.PodwrightError]]:
    kinds = [kind for kind in errors.PodwrightError.__subclasses__() if kind.__module__ == errors.__name__]
    return [kind for kind in kinds if kind is not errors.RuntimeFailed]


@pytest.mark.parametrize("kind", _leaves(), ids=lambda kind: kind.__name__)
def test_there_and_back(kind: type[errors.PodwrightError]) -> None:
    code = code_of(kind("why", hint="what to do"))
    failure = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details="why (what to do)")
    back = error_from(failure)
    assert type(back) is kind
    assert str(back) == "why (what to do)"


def test_what_a_runtime_refused_is_unknown_to_clients() -> None:
    assert code_of(errors.RuntimeFailed("why")) is grpc.StatusCode.UNKNOWN


def test_codes_are_distinct() -> None:
    assert len(set(CODES.values())) == len(CODES)


def test_subclasses_take_the_code_of_their_parent() -> None:
    class Special(errors.NotFound):
        pass

    assert code_of(Special("x")) is grpc.StatusCode.NOT_FOUND

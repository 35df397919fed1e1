from __future__ import annotations

import pytest

from podwright import errors
from podwright.runtime.registry.failure import HostFailure, Rank, summary


@pytest.mark.parametrize(
    ("ranks", "error"),
    [
        ([Rank.UNREACHABLE], errors.Unknown),
        ([Rank.UNREACHABLE, Rank.UNAVAILABLE], errors.Unknown),
        ([Rank.GARBAGE, Rank.UNREACHABLE], errors.FailedPrecondition),
        ([Rank.DENIED, Rank.GARBAGE], errors.PermissionDenied),
        ([Rank.UNREACHABLE, Rank.MISSING, Rank.DENIED], errors.NotFound),
    ],
)
def test_the_furthest_failure_is_told_and_the_others_are_named(
    ranks: list[Rank], error: type[errors.PodwrightError]
) -> None:
    failures = [HostFailure(rank, f"host{number}") for number, rank in enumerate(ranks)]
    told = summary("reg/x:1", failures)
    assert type(told) is error
    assert all(failure.message in told.message for failure in failures)
    assert told.message.startswith("RegistryUnavailable: ") == (error is errors.Unknown)

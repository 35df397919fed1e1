"""How a command ended: both sides understand each other in every version, and Kubernetes' own words are understood."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.streams.errors import ProtocolError
from podwright.streams.remote_command.protocol import Version
from podwright.streams.remote_command.status import Outcome, pack_outcome, parse_outcome

exit_codes = st.integers(0, 255)
failures = st.text(min_size=1, max_size=200).filter(lambda text: text.strip() == text)
WITH_JSON = [Version.V4, Version.V5]
WITH_TEXT = [Version.V1, Version.V2, Version.V3]


@given(version=st.sampled_from(WITH_JSON), exit_code=exit_codes)
def test_exit_codes_come_back(version: Version, exit_code: int) -> None:
    outcome = Outcome(exit_code=exit_code)
    assert parse_outcome(pack_outcome(outcome, version), version) == outcome


@given(version=st.sampled_from(WITH_JSON), failure=failures)
def test_failures_come_back(version: Version, failure: str) -> None:
    written = pack_outcome(Outcome(failure=failure), version)
    assert parse_outcome(written, version) == Outcome(exit_code=1, failure=failure)


@given(version=st.sampled_from(WITH_TEXT), exit_code=exit_codes)
def test_old_versions_say_something_of_failures_only(version: Version, exit_code: int) -> None:
    written = pack_outcome(Outcome(exit_code=exit_code), version)
    assert bool(written) == bool(exit_code)
    assert parse_outcome(written, version).exit_code == (1 if exit_code else 0)
    assert not written or str(exit_code) in parse_outcome(written, version).failure


@given(version=st.sampled_from(Version), written=st.binary(max_size=200))
def test_anything_is_an_outcome_or_an_error(version: Version, written: bytes) -> None:
    try:
        parse_outcome(written, version)
    except ProtocolError:
        assert version.has_json_status


def test_what_is_written_is_what_kubernetes_writes() -> None:
    assert json.loads(pack_outcome(Outcome(), Version.V4)) == {"status": "Success"}
    assert json.loads(pack_outcome(Outcome(exit_code=3), Version.V4)) == {
        "status": "Failure",
        "message": "command terminated with non-zero exit code: exit status 3",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": "3"}]},
    }
    assert json.loads(pack_outcome(Outcome(failure="no such file"), Version.V4)) == {
        "status": "Failure",
        "message": "Internal error occurred: no such file",
        "reason": "InternalError",
        "code": 500,
    }


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        pytest.param({"metadata": {}, "status": "Success", "kind": "Status"}, Outcome(), id="with more fields"),
        pytest.param(
            {"status": "Failure", "reason": "Forbidden"},
            Outcome(exit_code=1, failure="Forbidden"),
            id="a reason alone",
        ),
        pytest.param({}, Outcome(exit_code=1, failure="the runtime does not say why"), id="nothing"),
        pytest.param(
            {
                "status": "Failure",
                "reason": "NonZeroExitCode",
                "details": {"causes": [{"reason": "Other", "message": "1"}, {"reason": "ExitCode", "message": "-1"}]},
            },
            Outcome(exit_code=-1),
            id="several causes",
        ),
    ],
)
def test_statuses_of_others(status: object, outcome: Outcome) -> None:
    assert parse_outcome(json.dumps(status).encode(), Version.V4) == outcome


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"null",
        b'{"status": 1}',
        b'{"reason": "NonZeroExitCode"}',
        b'{"reason": "NonZeroExitCode", "details": {"causes": [{"reason": "ExitCode", "message": "many"}]}}',
    ],
)
def test_what_is_no_status(written: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_outcome(written, Version.V4)

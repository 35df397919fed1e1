"""ListCalls, an RPC of our own that shows what calls spend their time on."""

from __future__ import annotations

import time
from typing import Any

from podwright.api.v1 import timeline_pb2 as api
from podwright.timeline import Step, Timeline


class TimelineRpcs:
    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline

    async def ListCalls(self, request: api.ListCallsRequest, _: Any) -> api.ListCallsResponse:
        now = time.monotonic_ns()
        return api.ListCallsResponse(
            calls=[
                api.Call(
                    ids=call.ids,
                    began_at=call.began_at,
                    step=_message(call, call.began, now),
                    name_path=call.name_path,
                )
                for call in self._timeline.calls(request.id)
                if call.name != "ListCalls"
            ]
        )


def _message(step: Step, zero: int, now: int) -> api.Step:
    return api.Step(
        name=step.name,
        offset_ns=step.began - zero,
        duration_ns=step.duration_ns(now),
        under_way=not step.ended,
        failure=step.failure,
        steps=[_message(inner, zero, now) for inner in step.steps],
    )

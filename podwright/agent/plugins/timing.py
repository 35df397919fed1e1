"""Measures gRPC calls, with result codes as in Go's metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc

from podwright.agent.clock import Clock
from podwright.cri.status import code_of, go_name
from podwright.errors import PodwrightError


@contextmanager
def timed_call(clock: Clock, observe: Callable[[float, str], None]) -> Iterator[None]:
    """Call `observe` with the duration of the call in the block, and its code: `OK`, a failure's, or `Canceled`."""
    began, code = clock.monotonic(), grpc.StatusCode.CANCELLED
    try:
        yield
        code = grpc.StatusCode.OK
    except grpc.aio.AioRpcError as failure:
        code = failure.code()
        raise
    except PodwrightError as failure:
        code = code_of(failure)
        raise
    finally:
        observe(clock.monotonic() - began, go_name(code.name))

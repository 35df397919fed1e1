"""Our own services as a client sees them, on the connection of a CRI client. Used by the CLI.

Another runtime answers UNIMPLEMENTED: `podwright load` works on `podwright serve` alone, and says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from podwright.api.v1 import images_pb2_grpc, pulls_pb2_grpc, timeline_pb2_grpc
from podwright.cri.client import CriClient

if TYPE_CHECKING:
    from podwright.api.v1.images_pb2_grpc import ImageStoreAsyncStub
    from podwright.api.v1.pulls_pb2_grpc import PullsAsyncStub
    from podwright.api.v1.timeline_pb2_grpc import TimelineAsyncStub


def image_store(cri: CriClient) -> ImageStoreAsyncStub:
    """The service for administrators of a node's images."""
    return images_pb2_grpc.ImageStoreStub(cri.channel)


def pulls(cri: CriClient) -> PullsAsyncStub:
    """The service for clients that wait for images."""
    return pulls_pb2_grpc.PullsStub(cri.channel)


def timeline(cri: CriClient) -> TimelineAsyncStub:
    """The service that shows what calls spend their time on."""
    return timeline_pb2_grpc.TimelineStub(cri.channel)

"""image: the content of an image, which the runtime mounts. The agent keeps nothing on disk for it."""

from __future__ import annotations

from podwright.agent.volumes.plans import ImagePlan
from podwright.agent.volumes.plugins.protocol import VolumeRequest


class ImageVolume:
    """See VolumePlugin. The image manager pulls the image."""

    follows_changes = False

    async def plan(self, request: VolumeRequest) -> ImagePlan:
        source = request.volume.image
        return ImagePlan(reference=source.reference if source is not None else "")

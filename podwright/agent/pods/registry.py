"""The wanted pods of this node by UID and by name, and the mirrors of static pods.

A mirror shows a static pod at the API. Both have the same namespace and name, and each its own UID.
"""

from __future__ import annotations

from podwright.agent.pods.identity import full_name, is_mirror, is_static
from podwright.k8s.objects import Pod


class PodRegistry:
    """Holds pods as their sources have them."""

    def __init__(self) -> None:
        self._pods: dict[str, Pod] = {}
        self._names: dict[str, str] = {}
        self._mirrors: dict[str, Pod] = {}  # by full name

    def put(self, pod: Pod) -> None:
        """Add a pod, or replace it by its new version."""
        if is_mirror(pod):
            self._mirrors[full_name(pod)] = pod
            return
        uid = pod.metadata.uid
        self._pods[uid] = pod
        self._names[full_name(pod)] = uid

    def remove(self, pod: Pod) -> None:
        """Forget a pod. An absent one succeeds."""
        name = full_name(pod)
        if is_mirror(pod):
            mirror = self._mirrors.get(name)
            if mirror is not None and mirror.metadata.uid == pod.metadata.uid:
                del self._mirrors[name]
            return
        uid = pod.metadata.uid
        self._pods.pop(uid, None)
        if self._names.get(name) == uid:
            del self._names[name]

    def get(self, uid: str) -> Pod | None:
        """The pod with this UID, which is not a mirror's."""
        return self._pods.get(uid)

    def named(self, name: str) -> Pod | None:
        """The pod with this full name."""
        uid = self._names.get(name)
        return self._pods.get(uid) if uid is not None else None

    def pods(self) -> list[Pod]:
        """All pods except mirrors."""
        return list(self._pods.values())

    def mirrors(self) -> list[Pod]:
        """All mirror pods."""
        return list(self._mirrors.values())

    def mirror_of(self, pod: Pod) -> Pod | None:
        """The mirror of a static pod."""
        return self._mirrors.get(full_name(pod))

    def static_of(self, mirror: Pod) -> Pod | None:
        """The static pod of a mirror."""
        pod = self.named(full_name(mirror))
        return pod if pod is not None and is_static(pod) else None

    def uid_of(self, api_uid: str) -> str:
        """The agent's UID of the pod with `api_uid` at the API: for a mirror that of its static pod."""
        for name, mirror in self._mirrors.items():
            if mirror.metadata.uid == api_uid:
                return self._names.get(name, api_uid)
        return api_uid

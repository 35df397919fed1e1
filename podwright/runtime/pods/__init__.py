"""Whole pods: a sandbox with its containers, stopped, removed and started again together by `service`."""

from podwright.runtime.pods.service import PodService

__all__ = ["PodService"]

"""Requests that need more than the store: tokens, reviews, certificate requests."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from podwright.k8s.times import format_time
from tests.harness.apiserver.documents import Document, metadata
from tests.harness.apiserver.failures import ApiError
from tests.harness.apiserver.people import Authority, Tokens, User
from tests.harness.apiserver.resources import Resource

CERTIFICATES = "certificatesigningrequests"
# (user, attributes of the SubjectAccessReview's spec) to whether it is allowed.
Policy = Callable[[str, Document], bool]


class Approval(Enum):
    """How certificate requests are decided."""

    APPROVE = "they are approved and signed at once"
    WAIT = "a test, or kubectl, approves them"
    DENY = "they are denied"
    FAIL = "they are approved, and the signer fails"


def everything(user: str, attributes: Document) -> bool:  # a Policy
    """Everybody may do everything."""
    return True


@dataclass(slots=True, kw_only=True)
class Subresources:
    """The settings are public: tests change them while the server runs."""

    authority: Authority
    tokens: Tokens
    now: Callable[[], datetime]
    approval: Approval = Approval.APPROVE
    certificate_s: float = 86400.0
    certificate_began_s_ago: float = 300.0
    policy: Policy = everything
    signed: list[str] = field(default_factory=list)

    def token(self, owner: Document, body: Document) -> Document:
        """A TokenRequest's answer."""
        spec = body.get("spec") or {}
        seconds = int(spec.get("expirationSeconds") or 3600)
        if seconds < 600:
            raise ApiError(
                422,
                "Invalid",
                "spec.expirationSeconds: Invalid value: may not specify a duration less than 10 minutes",
            )
        data = metadata(owner)
        user = User(
            name=f"system:serviceaccount:{data['namespace']}:{data['name']}", groups=("system:serviceaccounts",)
        )
        token = self.tokens.issue(user, spec.get("audiences") or ())
        end = format_time(self.now() + timedelta(seconds=seconds))
        return {**body, "status": {"token": token, "expirationTimestamp": end}}

    def review(self, resource: Resource, body: Document) -> Document:
        """The answer of a TokenReview or SubjectAccessReview."""
        spec = body.get("spec") or {}
        if resource.plural == "tokenreviews":
            return {**body, "status": self._who(str(spec.get("token") or ""), spec.get("audiences") or [])}
        attributes = spec.get("resourceAttributes") or spec.get("nonResourceAttributes") or {}
        return {**body, "status": {"allowed": self.policy(str(spec.get("user") or ""), attributes)}}

    def _who(self, token: str, audiences: list[str]) -> Document:
        user = self.tokens.users.get(token)
        common = [each for each in self.tokens.audiences.get(token, ()) if each in audiences]
        if user is None or (audiences and self.tokens.audiences.get(token) and not common):
            return {"authenticated": False, "error": "invalid bearer token"}
        named = {"username": user.name, "uid": "", "groups": [*user.groups, "system:authenticated"]}
        return {"authenticated": True, "user": named, **({"audiences": common} if common else {})}

    def begun(self, resource: Resource, document: Document, user: User) -> Document:
        """Complete a new object. A certificate request gets its user and its decision."""
        if resource.plural != CERTIFICATES:
            return document
        spec = {**document["spec"], "username": user.name, "groups": [*user.groups, "system:authenticated"]}
        document = {**document, "spec": spec}
        match self.approval:
            case Approval.WAIT:
                return document
            case Approval.DENY:
                return self._decided(document, "Denied")
            case _:
                return self.changed(resource, self._decided(document, "Approved"))

    def changed(self, resource: Resource, document: Document) -> Document:
        """The signer's part: what is approved and has no certificate gets one."""
        status = document.get("status") or {}
        if resource.plural != CERTIFICATES or status.get("certificate") or "Approved" not in _types(status):
            return document
        if self.approval is Approval.FAIL:
            return document if "Failed" in _types(status) else self._decided(document, "Failed")
        spec = document["spec"]
        seconds = min(self.certificate_s, float(spec.get("expirationSeconds") or self.certificate_s))
        signed = self.authority.sign(
            base64.b64decode(spec["request"]),
            spec.get("usages") or (),
            seconds=seconds,
            began_s_ago=self.certificate_began_s_ago,
        )
        self.signed.append(str(metadata(document).get("name")))
        return {**document, "status": {**status, "certificate": base64.b64encode(signed).decode()}}

    def _decided(self, document: Document, kind: str) -> Document:
        stamp = format_time(self.now())
        condition = {"type": kind, "status": "True", "reason": "Test", "message": "", "lastTransitionTime": stamp}
        status = document.get("status") or {}
        return {**document, "status": {**status, "conditions": [*status.get("conditions", []), condition]}}


def _types(status: dict[str, Any]) -> set[str]:
    return {str(each.get("type")) for each in status.get("conditions") or ()}

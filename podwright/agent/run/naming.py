"""Names as Kubernetes' controllers make them: hashes of templates, suffixes of pods. Pure.

Letters are from the alphabet of apimachinery's util/rand. The same template has the same hash in every run, but not
the cluster's hash, which depends on how Go prints structures.
"""

from __future__ import annotations

import hashlib

import msgspec

from podwright.agent.pods.hashes import fnv32a
from podwright.k8s.codec import encode
from podwright.k8s.objects.base import ApiObject

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
SUFFIX_LENGTH = 5
BASE_LIMIT = 63 - SUFFIX_LENGTH  # of a generated name; longer bases are cut (registry/generic's nameGenerator)


def template_hash(template: ApiObject) -> str:
    """The pod-template-hash of a Deployment's pods: a 32-bit FNV-1a hash, its digits as letters."""
    value = fnv32a(msgspec.json.encode(msgspec.json.decode(encode(template)), order="deterministic"))
    return "".join(ALPHABET[ord(digit) % len(ALPHABET)] for digit in str(value))


def generated_name(base: str, *seed: object) -> str:
    """`base` with five letters computed from the seed. A controller uses random ones."""
    return base[:BASE_LIMIT] + suffix(base, *seed)


def suffix(*seed: object) -> str:
    """Five letters computed from the seed."""
    digest = hashlib.blake2s("\0".join(str(part) for part in seed).encode(), digest_size=8).digest()
    number = int.from_bytes(digest)
    letters = []
    for _ in range(SUFFIX_LENGTH):
        number, index = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[index])
    return "".join(letters)

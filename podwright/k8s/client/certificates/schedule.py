"""When a certificate is renewed. Pure."""

from __future__ import annotations

from podwright.k8s.client.certificates.x509 import Validity

# Of its life (client-go's certificate manager): by chance between these, so that nodes do not come together.
EARLIEST, LATEST = 0.7, 0.9


def renewal_at(validity: Validity, chance: float) -> float:
    """Seconds since the epoch. `chance` is from 0 to 1."""
    share = EARLIEST + (LATEST - EARLIEST) * chance
    return validity.begin + (validity.end - validity.begin) * share

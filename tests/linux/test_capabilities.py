"""Capability masks as the kernel shows them."""

from __future__ import annotations

from podwright.linux import capabilities


def test_numbers_are_the_kernels() -> None:
    assert capabilities.NAMES.index("CAP_SYS_ADMIN") == 21
    assert capabilities.NAMES.index("CAP_SYS_RESOURCE") == 24
    assert capabilities.NAMES.index("CAP_CHECKPOINT_RESTORE") == 40


def test_decoding() -> None:
    assert capabilities.decode(0) == frozenset()
    assert capabilities.decode(1 << 21 | 1) == {"CAP_CHOWN", "CAP_SYS_ADMIN"}
    assert capabilities.decode(1 << 63) == frozenset()
    assert capabilities.held("Name:\tx\nCapEff:\t0000000000000003\n") == {"CAP_CHOWN", "CAP_DAC_OVERRIDE"}
    assert capabilities.held("nothing") == frozenset()

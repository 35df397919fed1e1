"""The message that limits a link's egress: a token bucket (tc-tbf(8)). Numbers are those of linux/pkt_sched.h."""

from __future__ import annotations

import socket
import struct

from podwright.runtime.network.netlink import codec
from podwright.runtime.network.netlink.codec import NLM_F_ACK, NLM_F_CREATE, NLM_F_REPLACE, NetlinkRequest

RTM_NEWQDISC = 36
TC_H_ROOT = 0xFFFFFFFF
TCA_KIND, TCA_OPTIONS = 1, 2
TCA_TBF_PARMS, TCA_TBF_RATE64, TCA_TBF_BURST = 1, 4, 6
TC_LINKLAYER_ETHERNET = 1  # without it, the kernel requires a rate table that newer versions do not use
RATE32_MAX = 2**32 - 1

BURST_S, QUEUE_S = (
    0.05,
    0.1,
)  # the burst after a pause, and the queue before packets are dropped, in seconds at the rate
BURST_MIN_BYTES = 64 * 1024  # a whole segment of TCP segmentation offload


def limit_rate(index: int, bits_s: int) -> NetlinkRequest:
    """Limit a link to an average of `bits_s`, replacing an existing limit."""
    rate_bytes_s = max(bits_s // 8, 1)
    burst_bytes = min(max(int(rate_bytes_s * BURST_S), BURST_MIN_BYTES), RATE32_MAX)
    queue_bytes = min(int(rate_bytes_s * QUEUE_S) + burst_bytes, RATE32_MAX)
    rate = struct.pack("=BBHhHI", 0, TC_LINKLAYER_ETHERNET, 0, 0, 0, min(rate_bytes_s, RATE32_MAX))
    no_peak = bytes(len(rate))
    parameters = rate + no_peak + struct.pack("=III", queue_bytes, 0, 0)
    options = codec.nested(
        TCA_OPTIONS,
        codec.attribute(TCA_TBF_PARMS, parameters),
        codec.attribute(TCA_TBF_RATE64, struct.pack("=Q", rate_bytes_s)),
        codec.number(TCA_TBF_BURST, burst_bytes),
    )
    body = struct.pack("=BxHiIII", socket.AF_UNSPEC, 0, index, 0, TC_H_ROOT, 0) + codec.text(TCA_KIND, "tbf") + options
    flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE
    return NetlinkRequest(
        kind=RTM_NEWQDISC, flags=flags, body=body, label=f"limit link {index} to {bits_s} bits a second"
    )

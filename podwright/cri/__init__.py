"""The contract: `runtime.v1`, its generated stubs, an async client, and how our errors become gRPC codes.

Both halves of Podwright import this room and nothing of each other.
"""

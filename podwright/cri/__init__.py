"""The contract: `runtime.v1`, its generated stubs, an async client, and how our errors become gRPC codes.

`client` is that client, `endpoint` the address of a server, `reaching` checks that a process listens there, `status`
converts errors to gRPC codes and back. Both halves of Podwright import this room and nothing of each other.
"""

"""What Podwright's daemon offers beyond the CRI: the protos below `v1`, their stubs, and a client.

`client` has the calls, `pulls` watches pulls, and `pull_state` is the progress of one.
"""

LISTENING = "podwright-listening"
"""The metadata that a client-streaming call answers at once. A client that waits for it before it sends cannot miss a
refusal: gRPC answers INTERNAL for a write that meets the end of a call, whatever that end said."""

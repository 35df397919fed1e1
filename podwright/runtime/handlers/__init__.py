"""What runs containers. `protocol` says what the rest of the runtime needs of a handler, `registry` finds them.

Each kind of handler has a package beside these: `oci` for OCI runtimes under conmon. `suite` is what each must pass.
"""

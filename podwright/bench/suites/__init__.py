"""What can be measured: one module per suite, each with `async def measure(...) -> ...` and a result of its own."""

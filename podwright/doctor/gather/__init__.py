"""Looking at the machine: effects, one module per subject, put together by `everything`."""

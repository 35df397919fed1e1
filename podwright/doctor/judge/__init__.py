"""Pure judgements: `(Facts) -> Finding`, one module per subject."""

"""Pure judgements: `(Facts) -> Finding`, one module for each subject."""

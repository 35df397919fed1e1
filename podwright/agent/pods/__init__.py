"""Pure decisions about pods: what they are called, what to do next, what their status is."""

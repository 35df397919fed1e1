"""Images that pods run: pull policies and back-offs, credentials, and the records of who may use what is there."""

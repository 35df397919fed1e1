"""The rules for creating, changing and deleting objects. Pure: documents in, documents out, failures as ApiError."""

"""What creating, changing and deleting objects mean. Pure: documents in, documents out, failures as ApiError."""

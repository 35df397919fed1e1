"""A set of objects kept up to date by lists and watches. `reflector` does it, `progress` decides, `cache` holds it."""

"""One migration line for both databases."""

"""Programs that measure the product; each prints a table."""

"""Words for people: one wording for kubectl, the CLI and every page."""

"""What would keep a release from going well, found before one is started; a module per subject.

Every check gives findings, never an error: what cannot be looked at is a finding too.
"""

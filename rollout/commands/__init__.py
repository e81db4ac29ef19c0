"""The one way a person changes a release: read, ask the admission, write one field.

Every command refuses with a sentence that names the way out, and leaves nothing half done. The
command line and the HTTP API are two doors to what is here.
"""

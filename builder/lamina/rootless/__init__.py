"""Running scripts as a root that has nothing: their view of a file system, and what they do to it.

The user that builds owns one number in its user namespace, so files cannot really belong to others, nor be set-uid
or devices. What a script does of that kind is recorded instead, and shown to it as if it were so.
"""

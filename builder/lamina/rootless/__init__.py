"""Scripts that appear to run as root: what they see of a file system, and the layer of what they change.

In a user namespace the builder has one user number. So a file cannot really belong to another user, and often it cannot
be set-uid or a device. Such properties are recorded, and the script sees what was recorded.
"""

"""The one way in which the Mesos replay fails."""


class MesosError(Exception):
    """The agent would refuse the image, or fall over it; the message says where."""

"""Every way in which a cluster is broken, by name."""

from chaos.faults import combined, disks, intruders, members, network, processes, upgrade
from chaos.faults.stage import CLASSES, FaultClass, NotInjected, Stage

__all__ = [
    "CLASSES",
    "FaultClass",
    "NotInjected",
    "Stage",
    "combined",
    "disks",
    "intruders",
    "members",
    "network",
    "processes",
    "upgrade",
]

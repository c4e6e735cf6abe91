"""All hostile programs, by how they must end."""

from __future__ import annotations

from tests.curation.sandbox.programs.channels import CHANNELS
from tests.curation.sandbox.programs.escapes import FILES, NETWORK, PROCESSES, SECRETS
from tests.curation.sandbox.programs.exhaustion import DISK, ERRORS, MEMORY, OUTPUT, TIME
from tests.curation.sandbox.programs.kernel import KERNEL, OTHER_TABLES
from tests.curation.sandbox.programs.parsers import PARSERS
from tests.curation.sandbox.programs.protocol import CRASHES, LIES, TRAPS

Programs = dict[str, str]


def joined(**groups: Programs) -> Programs:
    """One table; a program is named by its group, so that none replaces another."""
    return {
        f"{group}-{name}": code
        for group, programs in groups.items()
        for name, code in programs.items()
    }


CONTAINED = joined(
    processes=PROCESSES,
    network=NETWORK,
    secrets=SECRETS,
    files=FILES,
    memory=MEMORY,
    disk=DISK,
    parsers=PARSERS,
)
"""They end well, without what they want."""
REFUSED = KERNEL
"""Their system call is answered with an error."""
BOUNDED = joined(output=OUTPUT, errors=ERRORS)
"""They end within the limits, well or with an error of their own."""
ENDLESS = joined(time=TIME)
"""Only the clock ends them."""
FATAL = joined(crashes=CRASHES, lies=LIES, tables=OTHER_TABLES)
"""The session is lost: they end its process or break the protocol."""
TRAPS = joined(traps=TRAPS)
"""They end, and the next cell is answered truly or not at all."""

SIZE = sum(map(len, (CONTAINED, REFUSED, BOUNDED, ENDLESS, FATAL, TRAPS, CHANNELS)))

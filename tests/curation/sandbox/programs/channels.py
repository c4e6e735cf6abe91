"""Pairs of programs in two sessions: the first would tell something, the second listens."""

from __future__ import annotations

from tests.curation.sandbox.programs.preamble import CALL

LISTEN_TO_FOLDERS = """
import os
for folder in ('/work', '/tmp', '/dev', '/proc', '/'):
    if 'told' in os.listdir(folder): print('BREACH', folder)
"""

ONE_ARENA = "import ctypes\nctypes.CDLL(None).mallopt(-8, 1)"
"""Threads that do not reserve 64 MiB of addresses each."""

CHANNELS = {
    "files": (
        """
for folder in ('/work', '/tmp', '/dev', '/proc', '/opt', '/'):
    try: open(folder + '/told', 'w').write('x')
    except OSError: pass
""",
        LISTEN_TO_FOLDERS,
    ),
    "lock_of_a_library": (
        """
import fcntl, numpy
held = open(numpy.__file__)
fcntl.flock(held, fcntl.LOCK_EX)
""",
        """
import fcntl, numpy
file = open(numpy.__file__)
try: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError: print('BREACH')
""",
    ),
    "record_lock_of_a_library": (
        """
import fcntl, numpy
held = open(numpy.__file__)
fcntl.lockf(held, fcntl.LOCK_SH)
""",
        """
import fcntl, numpy, struct
file = open(numpy.__file__)
asked = struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0)
got = attempt(lambda: fcntl.fcntl(file, fcntl.F_GETLK, asked))
""",
    ),
    "times_of_a_device": (
        """
import os
attempt(lambda: os.utime('/dev/null', (77, 77)))
""",
        "import os\nif os.stat('/dev/null').st_mtime == 77: print('BREACH')",
    ),
    "shared_memory": (
        CALL + "attempt(lambda: call(29, 7777, 4096, 0o1666))",
        CALL + "attempt(lambda: call(29, 7777, 4096, 0o666))",
    ),
    "modules": (
        "import PIL, numpy\nPIL.told = numpy.told = True\nimport builtins\nbuiltins.told = True",
        """
import PIL, builtins
if hasattr(PIL, 'told') or hasattr(np, 'told') or hasattr(builtins, 'told'): print('BREACH')
""",
    ),
    "pages_of_a_library": (
        """
import ctypes, numpy.linalg._umath_linalg as module
libc = ctypes.CDLL(None)
text = ctypes.cast(libc.getpid, ctypes.c_void_p).value & ~4095
if libc.mprotect(ctypes.c_void_p(text), 4096, 7) == 0: ctypes.memset(text, 0, 0)
libc.told = True
""",
        "import ctypes\nif ctypes.CDLL(None).getpid() != 1: print('BREACH')",
    ),
    "threads_in_the_count": (
        ONE_ARENA
        + """
import threading
stop = threading.Event()
for _ in range(12): threading.Thread(target=stop.wait, daemon=True).start()
""",
        ONE_ARENA
        + """
import threading
stop = threading.Event()
def start(): return [threading.Thread(target=stop.wait).start() for _ in range(12)]
error = attempt(start, [None] * 12)
stop.set()
if error: print('BREACH', error)
""",
    ),
    "signals": (
        "import os, signal\nfor pid in range(-1, 99): attempt(lambda: os.kill(pid, 0), None)",
        "import os\nfor pid in range(2, 999): attempt(lambda: os.kill(pid, 0))",
    ),
}
"""What the first may do, and what the second must not find."""

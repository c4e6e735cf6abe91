"""Programs that break the session's own process or lie to the host."""

from __future__ import annotations

from tests.curation.sandbox.programs.preamble import LINK

CRASHES = {
    "exit": "import os\nos._exit(0)",
    "exit_in_repr": "class R:\n    def __repr__(self):\n        import os; os._exit(0)\nR()",
    "segfault": "import ctypes\nctypes.string_at(0)",
    "abort": "import os\nos.abort()",
    "bus_error": """
import mmap, os
open('/work/f', 'wb').write(bytes(4096))
with open('/work/f', 'r+b') as file:
    memory = mmap.mmap(file.fileno(), 4096)
    os.truncate('/work/f', 0)
    memory[0]
""",
    "smash_stack": "import ctypes\nctypes.memset(ctypes.addressof(ctypes.c_char()), 65, 1 << 24)",
    "smash_interpreter": "import ctypes\nctypes.memset(id(None), 65, 64)",
    "deep_recursion": """
import sys
sys.setrecursionlimit(10**9)
def f(_): return sorted([1], key=f)
f(1)
""",
    "close_everything": "import os\nos.closerange(0, 4096)",
    "hang_up": LINK + "os.close(link)",
    "replace_link": LINK + "os.dup2(os.open('/dev/null', os.O_RDWR), link)",
}

LIES = {
    "long_text": LINK + "os.write(link, header(stdout=2**31))",
    "long_traceback": LINK + "os.write(link, header(stderr=2**32 - 1))",
    "long_result": LINK + "os.write(link, header(result=2**31, has_result=True))",
    "many_images": LINK + "os.write(link, header(images=255))",
    "huge_image": LINK + "os.write(link, header(images=1) + struct.pack('!II', 2**31, 2**31))",
    "image_of_a_trillion": LINK
    + "os.write(link, header(images=1) + struct.pack('!II', 10**6, 10**6))",
    "empty_image": LINK + "os.write(link, header(images=1) + struct.pack('!II', 0, 9))",
    "garbage": LINK + "os.write(link, b'\\xff' * 64)",
    "json": LINK + 'os.write(link, b\'{"out": "forged", "blob": 1000000000000}\' + bytes(100))',
    "pickle": LINK
    + """
import pickle
class Payload:
    def __reduce__(self): return os.system, ('touch SECRET',)
os.write(link, pickle.dumps(Payload()) * 10)
""",
    "reply_and_more": LINK + "os.write(link, header() + b'!')",
    "two_replies": LINK + "os.write(link, header() + header())",
    "reply_flood": LINK + "while True: os.write(link, bytes(1 << 16))",
    "patched_wire": """
from curation.sandbox.jail import wire
wire.encode = lambda text: b'x' * 10**6
""",
    "patched_len": "import builtins\nbuiltins.len = lambda value: 2**31",
    "wake_up_bytes": LINK
    + """
import fcntl, signal
fcntl.fcntl(link, fcntl.F_SETFL, os.O_NONBLOCK)
signal.set_wakeup_fd(link, warn_on_full_buffer=False)
signal.signal(signal.SIGUSR1, lambda *_: None)
for _ in range(99): signal.raise_signal(signal.SIGUSR1)
""",
}

FATAL = {f"crash_{name}": code for name, code in CRASHES.items()} | {
    f"lie_{name}": code for name, code in LIES.items()
}
"""Programs after which the session is lost: they end its process or break the protocol."""

TRAPS = {
    "thread_steals_the_next_cell": LINK
    + """
import threading
def steal():
    while True: os.read(link, 1 << 16)
threading.Thread(target=steal).start()
""",
    "thread_answers_the_next_cell": LINK
    + """
import threading, time
def answer():
    time.sleep(0.05)
    while True: os.write(link, header(result=2, has_result=True) + b'99')
threading.Thread(target=answer).start()
""",
    "thread_speaks_between_cells": LINK
    + """
import threading, time
def speak():
    while True:
        time.sleep(0.001)
        os.write(link, b'x')
threading.Thread(target=speak).start()
""",
    "threads_spin_between_cells": """
import threading
def spin():
    while True: pass
for _ in range(8): threading.Thread(target=spin, daemon=True).start()
""",
    "timer": """
import signal
def handler(*_): raise KeyboardInterrupt
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
""",
    "audit_hook": """
import sys
def hook(event, _):
    if event in ('compile', 'exec'): raise RuntimeError('no more cells')
sys.addaudithook(hook)
""",
    "trace": """
import sys
def trace(*_): raise SystemExit
sys.settrace(trace)
""",
    "patched_builtins": """
import builtins
builtins.exec = builtins.eval = builtins.compile = lambda *_: 99
""",
    "patched_shell": """
from curation.sandbox.jail.shell import Shell
def run(self, code): raise SystemExit
Shell.run = run
""",
    "patched_reply": """
from curation.sandbox.jail import wire
wire.pack_reply = lambda reply: b'\\xff' * 1000
""",
    "patched_modules": "import sys\nfor name in list(sys.modules): sys.modules[name] = None",
    "closed_streams": """
import sys
sys.stdout.close()
sys.__stdout__ = sys.stdout = sys.stderr = None
""",
    "emptied_names": "import builtins\nvars(builtins).clear()",
    "collector_callback": """
import gc
def callback(*_): raise SystemExit
gc.callbacks.append(callback)
gc.set_threshold(1)
""",
    "no_memory_left": """
import resource
resource.setrlimit(resource.RLIMIT_AS, (1 << 20, 1 << 20))
""",
    "no_descriptors_left": """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
""",
    "removed_folder": """
import os, shutil
shutil.rmtree('/work', ignore_errors=True)
os.chdir('/')
""",
    "link_that_does_not_wait": LINK
    + "import fcntl\nfcntl.fcntl(link, fcntl.F_SETFL, os.O_NONBLOCK)",
}
"""Programs that end well and harm the next cell: its answer is true, or there is none."""

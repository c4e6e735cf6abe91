"""Programs that want all there is: memory, files, descriptors, threads, output and time."""

from __future__ import annotations

from tests.curation.sandbox.programs.preamble import LINK

MEMORY = {
    "memory_list": """
blocks = []
def fill():
    for _ in range(64): blocks.append(bytearray(64 << 20))
    return 'filled'
error = attempt(fill)
blocks.clear()
""",
    "memory_numpy": "attempt(lambda: np.ones(2 << 30).sum())",
    "memory_maps": """
import mmap
maps = []
def fill():
    for _ in range(64): maps.append(mmap.mmap(-1, 1 << 30))
    return 'filled'
error = attempt(fill)
maps.clear()
""",
    "memory_shared_map": """
import mmap
attempt(lambda: mmap.mmap(-1, 4 << 30, flags=mmap.MAP_SHARED))
""",
    "memory_overcommit": """
import mmap
attempt(lambda: mmap.mmap(-1, 64 << 30, flags=mmap.MAP_PRIVATE | 0x4000))
""",
    "memory_and_files": """
heap = bytearray(200 << 20)
def fill():
    with open('/work/big', 'wb') as file:
        for _ in range(64): file.write(bytes(1 << 20))
    return 'filled'
attempt(fill)
del heap
""",
    "memory_image": "attempt(lambda: Image.new('RGB', (60000, 60000)))",
    "memory_figure": """
def draw():
    plt.figure(figsize=(500, 500), dpi=200)
    plt.savefig('/work/figure.png')
attempt(draw)
plt.close('all')
""",
    "pipe_of_a_gigabyte": """
import fcntl, os
ends = os.pipe()
attempt(lambda: fcntl.fcntl(ends[1], 1031, 1 << 30))
for end in ends: os.close(end)
""",
    "integer_of_digits": "attempt(lambda: int('9' * 10**6))",
    "pipes": """
import os
ends = []
def fill():
    while len(ends) < 4000:
        ends.extend(os.pipe2(os.O_NONBLOCK))
        try:
            while True: os.write(ends[-1], bytes(1 << 16))
        except BlockingIOError: pass
    return 'filled'
attempt(fill)
for end in ends: os.close(end)
""",
    "epoll_nest": """
import select
nest = [select.epoll()]
def grow():
    for _ in range(200):
        outer = select.epoll()
        outer.register(nest[-1])
        nest.append(outer)
    return 'grown'
attempt(grow)
for one in nest: one.close()
""",
    "thread_bomb": """
import threading
stop = threading.Event()
started = 0
def start():
    global started
    threading.Thread(target=stop.wait).start()
    started += 1
error = None
while error is None and started < 1000: error = attempt(start, None)
stop.set()
if started > 16: print('BREACH', started)
""",
    "native_threads": """
import cv2
cv2.setNumThreads(512)
attempt(lambda: cv2.GaussianBlur(np.zeros((2000, 2000), 'u1'), (31, 31), 5).sum(), np.uint64(0))
cv2.setNumThreads(1)
""",
}

DISK = {
    "fill_disk": """
def fill():
    with open('/work/big', 'wb') as file:
        for _ in range(64): file.write(bytes(1 << 20))
    return 'filled'
attempt(fill)
""",
    "fill_with_many_files": """
def fill():
    for i in range(64): open(f'/work/{i}', 'wb').write(bytes(1 << 20))
    return 'filled'
attempt(fill)
""",
    "fill_unlinked": """
import os
files = []
def fill():
    for i in range(64):
        files.append(open('/work/gone', 'wb', buffering=0))
        os.unlink('/work/gone')
        files[-1].write(bytes(1 << 20))
        if os.fstat(files[-1].fileno()).st_size < 1 << 20: raise OSError('full')
    return 'filled'
attempt(fill)
files.clear()
""",
    "fill_sparse": """
import os
def fill():
    with open('/work/sparse', 'wb') as file: os.truncate(file.fileno(), 1 << 40)
    return 'filled'
attempt(fill)
""",
    "preallocate": """
import os
with open('/work/big', 'wb') as file: attempt(lambda: os.posix_fallocate(file.fileno(), 0, 1 << 30))
""",
    "inodes": """
def fill():
    for i in range(1000): open(f'/tmp/{i}', 'w').close()
    return 'filled'
attempt(fill)
""",
    "folders": """
import os
def fill():
    for _ in range(5000):
        os.mkdir('d')
        os.chdir('d')
    return 'filled'
attempt(fill)
os.chdir('/work')
""",
    "hard_links": """
import os
open('/work/file', 'w').close()
def fill():
    for i in range(5000): os.link('/work/file', f'/work/{i}')
    return 'filled'
attempt(fill)
""",
    "descriptors": """
files = []
def fill():
    for _ in range(1000): files.append(open('/dev/null'))
    return 'filled'
error = attempt(fill)
files.clear()
""",
    "lock_work_folder": "import os\nos.chmod('/work', 0)",
}

OUTPUT = {
    "print_flood": "for _ in range(200_000): print('x' * 20)",
    "descriptor_flood": "import os\nfor _ in range(200): os.write(1, bytes(1 << 20))",
    "error_flood": "import os, sys\nfor _ in range(200): sys.stderr.write('x' * (1 << 20))",
    "image_flood": "attempt(lambda: [show(np.zeros((9, 9), 'u1')) for _ in range(10_000)])",
    "huge_image": "attempt(lambda: show(Image.new('L', (10_000, 10_000))))",
    "thin_image": "attempt(lambda: show(Image.new('L', (5_000_000, 1))))",
    "wide_repr": "'x' * (200 << 20)",
    "bytes_repr": "b'\\0' * (200 << 20)",
    "own_repr": "class R:\n    def __repr__(self): return 'x' * (100 << 20)\nR()",
    "deep_repr": "nest = []\nfor _ in range(900): nest = [nest]\nnest",
    "control_characters": "print(*map(chr, [*range(32), 127, 0x202E, 0xD800]))",
}

ERRORS = {
    "huge_repr": "class R:\n    def __repr__(self): return 'x' * (1 << 30)\nR()",
    "repr_beyond_memory": "'x' * (1 << 30)",
    "nested_parentheses": "eval('(' * 100_000 + ')' * 100_000)",
    "deep_json": "import json\njson.loads('[' * 10**6)",
    "digits": "print(int('9' * 10**5))",
}
"""Programs that end with an error of their own, and the session goes on."""

TIME = {
    "loop": "while True: pass",
    "catch_everything": """
while True:
    try:
        while True: pass
    except BaseException: pass
""",
    "ignore_signals": """
import signal
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True: pass
""",
    "block_signals": """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
while True: pass
""",
    "sleep": "import time\ntime.sleep(1000)",
    "regex": "import re\nre.match('(a+)+b', 'a' * 60)",
    "big_power": "9 ** 9 ** 9",
    "repr_never_ends": "class R:\n    def __repr__(self):\n        while True: pass\nR()",
    "error_never_ends": """
class E(Exception):
    def __str__(self):
        while True: pass
raise E
""",
    "trace_never_ends": """
import sys
def trace(*_):
    while True: pass
sys.settrace(trace)
def f(): pass
f()
""",
    "destructor_never_ends": """
class D:
    def __del__(self):
        while True: pass
D()
""",
    "exit_waits_for_thread": """
import threading
threading.Thread(target=threading.Event().wait).start()
threading.Event().wait()
""",
    "threads_stay": """
import threading
def spin():
    while True: pass
for _ in range(4): threading.Thread(target=spin).start()
spin()
""",
    "deadlock": "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()",
    "stop_itself": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\nwhile True: pass",
    "sleep_in_kernel": "import ctypes\nctypes.CDLL(None).pause()",
    "stdin": "import os\nwhile True: os.read(0, 1)",
    "read_its_link": LINK + "while True: os.read(link, 1)",
    "half_a_reply": LINK + "os.write(link, b'0')\nwhile True: pass",
    "slow_reply": LINK
    + """
import time
while True:
    for byte in header(stdout=20_000) + bytes(20_000):
        os.write(link, bytes([byte]))
        time.sleep(0.02)
""",
    "result_never_sent": LINK
    + "os.write(link, header(result=4, has_result=True))\nwhile True: pass",
    "pixels_never_sent": LINK
    + "os.write(link, header(images=1) + struct.pack('!II', 1000, 1000))\nwhile True: pass",
}
"""Programs that only the clock ends."""

EXHAUSTION = MEMORY | DISK | OUTPUT

"""Hostile programs. Each prints BREACH where it gets what it wants; `PORT` and `SECRET` are a
listening port and a file of the host."""

from __future__ import annotations

TRY = """
def attempt(action, *allowed):
    try:
        got = action()
    except (OSError, MemoryError, RuntimeError, ValueError, AttributeError, ImportError) as error:
        return error
    if got not in allowed:
        print("BREACH", got)
"""

CALLS = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    if libc.syscall(number, *arguments) == -1:
        raise OSError(ctypes.get_errno(), "refused")
    return "done"
"""

# On x86-64.
CALL_NUMBERS: list[tuple[str, int, tuple[int | bytes, ...]]] = [
    ("ptrace", 101, (0, 0, 0, 0)),
    ("mount", 165, (b"tmpfs", b"/work", b"tmpfs", 0, 0)),
    ("umount", 166, (b"/proc", 2)),
    ("pivot_root", 155, (b"/work", b"/work")),
    ("unshare_user", 272, (0x10000000,)),
    ("setns", 308, (0, 0)),
    ("io_uring", 425, (8, 0)),
    ("keyctl", 250, (0, -3, 0)),
    ("add_key", 248, (b"user", b"x", b"y", 1, -3)),
    ("bpf", 321, (0, 0, 0)),
    ("perf", 298, (0, 0, -1, -1, 0)),
    ("userfaultfd", 323, (1,)),
    ("process_vm_readv", 310, (1, 0, 0, 0, 0, 0)),
    ("clock_settime", 227, (0, b"\\0" * 16)),
    ("sethostname", 170, (b"x", 1)),
    ("reboot", 169, (0, 0, 0, 0)),
    ("init_module", 175, (0, 0, 0)),
    ("open_by_handle", 304, (0, 0, 0)),
    ("personality", 135, (0x0040000,)),
    ("shmget", 29, (0, 4096, 0o1600)),
    ("msgget", 68, (0, 0o1600)),
    ("seccomp_off", 157, (22, 0, 0, 0, 0)),
    ("gain_capabilities", 126, (0, 0)),
    ("setuid", 105, (0,)),
    ("swapon", 167, (b"/work/x", 0)),
    ("iopl", 172, (3,)),
    ("fanotify", 300, (0, 0)),
    ("mq_open", 240, (b"x", 0o102, 0o600, 0)),
    ("quotactl", 179, (0, 0, 0, 0)),
    ("kexec", 246, (0, 0, 0, 0)),
    ("clone_process", 56, (17, 0, 0, 0, 0)),
    ("clone3", 435, (0, 0)),
    ("vfork", 58, ()),
]

KERNEL = {
    name: CALLS + f"error = attempt(lambda: call({number}, *{arguments}))"
    for name, number, arguments in CALL_NUMBERS
}
"""System calls that no session may make, by number."""

CONTAINED = {
    # Processes.
    "fork": "import os\nattempt(os.fork)",
    "fork_loop": "import os\nfor _ in range(1000): attempt(os.fork)",
    "subprocess": "import subprocess\nattempt(lambda: subprocess.run(['/opt/python/bin/python3']))",
    "system": "import os\nattempt(lambda: os.system('echo x > /work/ran'), -1, 32512)\n"
    "if os.path.exists('/work/ran'): print('BREACH')",
    "multiprocessing": "import multiprocessing as m\n"
    "attempt(lambda: m.Process(target=print).start())",
    "exec": "import os, sys\nattempt(lambda: os.execv('/opt/python/bin/python3', ['python3']))",
    "thread_bomb": "import threading\nstop = threading.Event()\nstarted = 0\n"
    "def start():\n    global started\n    threading.Thread(target=stop.wait).start()\n"
    "    started += 1\n"
    "error = None\nwhile error is None and started < 100: error = attempt(start, None)\n"
    "stop.set()\nif started > 16: print('BREACH', started)",
    "kill_all": "import os, signal\nattempt(lambda: os.kill(-1, signal.SIGKILL))",
    "kill_parents": "import os\n"
    "for pid in range(2, 400): attempt(lambda: os.kill(pid, 0))\n"
    "if os.getppid(): print('BREACH', os.getppid())",
    # Network.
    "tcp_out": "import socket\nattempt(lambda: socket.create_connection(('1.1.1.1', 80), 1))",
    "tcp_loopback": "import socket\n"
    "attempt(lambda: socket.create_connection(('127.0.0.1', PORT), 1))",
    "dns": "import socket\nattempt(lambda: socket.getaddrinfo('example.org', 80))",
    "http": "import urllib.request as u\n"
    "attempt(lambda: u.urlopen('http://127.0.0.1:PORT/', timeout=1))",
    "abstract_unix": "import socket\n"
    "attempt(lambda: socket.socket(socket.AF_UNIX).connect('\\0toolsight'))",
    "socketpair": "import socket\nattempt(socket.socketpair)",
    "netlink": "import socket\nattempt(lambda: socket.socket(socket.AF_NETLINK))",
    # Secrets and the host.
    "environment": "import os\n"
    "if {'PATH', 'USER', 'PYTEST_VERSION'} & set(os.environ): print('BREACH', os.environ)",
    "secret_file": "attempt(lambda: open('SECRET').read())",
    "secret_through_root": "attempt(lambda: open('/proc/1/root/SECRET').read())",
    "climb": "import os\nos.chdir('/')\nattempt(lambda: open('../' * 40 + 'SECRET').read())",
    "chroot_out": "import os\nattempt(lambda: os.chroot('/work'))",
    "passwords": "attempt(lambda: open('/etc/passwd').read())",
    "homes": "import os\n"
    "for path in ('/root', '/home', '/etc', '/var', '/run', '/mnt', '/sys', '/boot'):\n"
    "    attempt(lambda: os.listdir(path))",
    "process_list": "import os\nattempt(lambda: os.listdir('/proc'), [])",
    "open_files": "import os, stat\n"
    "for fd in range(3, 4096):\n"
    "    try: mode = os.fstat(fd).st_mode\n"
    "    except OSError: continue\n"
    "    if not stat.S_ISSOCK(mode): print('BREACH', fd, oct(mode))\n",
    "one_socket": "import os, stat\nsockets = []\n"
    "for fd in range(4096):\n"
    "    try: sockets += [fd] if stat.S_ISSOCK(os.fstat(fd).st_mode) else []\n"
    "    except OSError: pass\n"
    "if len(sockets) != 1: print('BREACH', sockets)",
    "heap": "import gc, socket\n"
    "links = [o for o in gc.get_objects() if isinstance(o, socket.socket) and o.fileno() >= 0]\n"
    "if len(links) > 1: print('BREACH', links)",
    "other_sessions": "import gc\n"
    "names = [o for o in gc.get_objects() if isinstance(o, dict) and 'canary' in o]\n"
    "if len(names) > 0: print('BREACH')",
    # Files.
    "write_everywhere": "import os\n"
    "for folder, folders, _ in os.walk('/'):\n"
    "    folders[:] = [name for name in folders[:8] if name not in ('work', 'tmp')]\n"
    "    attempt(lambda: open(os.path.join(folder, 'leak'), 'w'))",
    "replace_library": "import numpy\nattempt(lambda: open(numpy.__file__, 'a'))",
    "replace_worker": "import curation.sandbox.jail.shell as s\n"
    "attempt(lambda: open(s.__file__, 'a'))",
    "chmod_library": "import os, numpy\nattempt(lambda: os.chmod(numpy.__file__, 0o777))",
    "fill_disk": "def fill():\n"
    "    with open('/work/big', 'wb') as file:\n"
    "        for _ in range(64): file.write(bytes(1 << 20))\n"
    "    return 'filled'\n"
    "attempt(fill)",
    "fill_with_many_files": "import os\ndef fill():\n"
    "    for i in range(64): open(f'/work/{i}', 'wb').write(bytes(1 << 20))\n"
    "    return 'filled'\n"
    "attempt(fill)",
    "inodes": "def fill():\n"
    "    for i in range(1000): open(f'/tmp/{i}', 'w').close()\n"
    "    return 'filled'\n"
    "attempt(fill)",
    "descriptors": "files = []\ndef fill():\n"
    "    for _ in range(1000): files.append(open('/dev/null'))\n"
    "    return 'filled'\n"
    "error = attempt(fill)\nfiles.clear()",
    "shared_memory": "from multiprocessing import shared_memory as s\n"
    "attempt(lambda: s.SharedMemory('x', create=True, size=100))",
    "memfd": "import os\nattempt(lambda: os.memfd_create('x'))",
    "symlink_out": "import os\nos.symlink('SECRET', '/work/link')\n"
    "attempt(lambda: open('/work/link').read())",
    "device_node": "import os, stat\n"
    "attempt(lambda: os.mknod('/work/disk', stat.S_IFBLK | 0o600, os.makedev(8, 0)))",
    "native_library": "import ctypes, shutil\n"
    "import numpy.linalg._umath_linalg as module\n"
    "shutil.copy(module.__file__, '/work/own.so')\n"
    "attempt(lambda: ctypes.CDLL('/work/own.so'))",
    "raise_limits": "import resource as r\n"
    "attempt(lambda: r.setrlimit(r.RLIMIT_AS, (r.RLIM_INFINITY, r.RLIM_INFINITY)))",
    "terminal": "import os\nattempt(os.openpty)",
    "terminal_input": "import fcntl, termios\n"
    "attempt(lambda: fcntl.ioctl(0, termios.TIOCSTI, b'x'))",
    # Memory.
    "memory_list": "blocks = []\ndef fill():\n"
    "    for _ in range(64): blocks.append(bytearray(64 << 20))\n"
    "    return 'filled'\n"
    "error = attempt(fill)\nblocks.clear()",
    "memory_numpy": "attempt(lambda: np.ones(2 << 30).sum())",
    "memory_maps": "import mmap\nmaps = []\ndef fill():\n"
    "    for _ in range(64): maps.append(mmap.mmap(-1, 1 << 30))\n"
    "    return 'filled'\n"
    "error = attempt(fill)\nmaps.clear()",
    "memory_image": "attempt(lambda: Image.new('RGB', (60000, 60000)))",
    # Output.
    "print_flood": "for _ in range(200_000): print('x' * 20)",
    "descriptor_flood": "import os\nfor _ in range(200): os.write(1, bytes(1 << 20))",
    "image_flood": "attempt(lambda: [show(np.zeros((9, 9), 'u1')) for _ in range(10_000)])",
    "wide_repr": "'x' * (200 << 20)",
    "own_repr": "class R:\n    def __repr__(self): return 'x' * (100 << 20)\nR()",
}
"""Programs that must end, without what they want and without harm to others."""

LINK = """
import os, stat, struct
def is_socket(fd):
    try: return stat.S_ISSOCK(os.fstat(fd).st_mode)
    except OSError: return False
link = next(fd for fd in range(3, 4096) if is_socket(fd))
"""

ENDLESS = {
    "loop": "while True: pass",
    "catch_everything": "while True:\n    try:\n        while True: pass\n"
    "    except BaseException: pass",
    "ignore_signals": "import signal\nfor number in range(1, 65):\n"
    "    try: signal.signal(number, signal.SIG_IGN)\n    except (OSError, ValueError): pass\n"
    "while True: pass",
    "sleep": "import time\ntime.sleep(1000)",
    "regex": "import re\nre.match('(a+)+b', 'a' * 60)",
    "big_power": "9 ** 9 ** 9",
    "threads_stay": "import threading\n"
    "def spin():\n    while True: pass\n"
    "for _ in range(4): threading.Thread(target=spin).start()\nspin()",
    "stop_itself": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\nwhile True: pass",
    "stdin": "import os\nwhile True: os.read(0, 1)",
    "half_a_reply": LINK + "os.write(link, b'0')\nwhile True: pass",
}
"""Programs that only the clock ends."""

FATAL = {
    "exit": "import os\nos._exit(0)",
    "exit_in_repr": "class R:\n    def __repr__(self):\n        import os; os._exit(0)\nR()",
    "segfault": "import ctypes\nctypes.string_at(0)",
    "abort": "import os\nos.abort()",
    "deep_recursion": "import sys\nsys.setrecursionlimit(10**9)\n"
    "def f(_): return sorted([1], key=f)\nf(1)",
    "close_everything": "import os\nos.closerange(0, 4096)",
    "hang_up": LINK + "os.close(link)",
    "long_text": LINK + "os.write(link, struct.pack('!?IIIB', 0, 2**31, 0, 0, 0))",
    "many_images": LINK + "os.write(link, struct.pack('!?IIIB', 0, 0, 0, 0, 255))",
    "huge_image": LINK + "os.write(link, struct.pack('!?IIIBII', 0, 0, 0, 0, 1, 2**31, 2**31))",
    "empty_image": LINK + "os.write(link, struct.pack('!?IIIBII', 0, 0, 0, 0, 1, 0, 9))",
    "garbage": LINK + "os.write(link, b'\\xff' * 64)",
    "reply_and_more": LINK + "os.write(link, struct.pack('!?IIIB', 0, 0, 0, 0, 0) + b'!')",
    "patched_wire": "from curation.sandbox.jail import wire\n"
    "wire.encode = lambda text: b'x' * 10**6",
}
"""Programs after which the session is lost: they end its process or break the protocol."""

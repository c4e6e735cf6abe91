"""Programs that want out: other processes, the network, the host's files and secrets."""

from __future__ import annotations

from tests.curation.sandbox.programs.preamble import CALL, LINK

PROCESSES = {
    "fork": "import os\nattempt(os.fork)",
    "fork_loop": "import os\nfor _ in range(1000): attempt(os.fork)",
    "double_fork": """
import os
def leave():
    if os.fork() == 0:
        os.setsid()
        os.fork()
attempt(leave)
""",
    "subprocess": "import subprocess\nattempt(lambda: subprocess.run(['/opt/python/bin/python3']))",
    "system": """
import os
attempt(lambda: os.system('echo x > /work/ran'), -1, 32512)
if os.path.exists('/work/ran'): print('BREACH')
""",
    "multiprocessing": """
import multiprocessing as m
attempt(lambda: m.Process(target=print).start())
""",
    "exec": "import os, sys\nattempt(lambda: os.execv('/opt/python/bin/python3', ['python3']))",
    "posix_spawn": """
import os
attempt(lambda: os.posix_spawn('/opt/python/bin/python3', ['python3'], {}))
""",
    "native_system": """
import ctypes, os
libc = ctypes.CDLL(None)
libc.system(b'echo x > /work/ran')
if libc.daemon(1, 1) != -1 or os.path.exists('/work/ran'): print('BREACH')
""",
    "kill_all": "import os, signal\nattempt(lambda: os.kill(-1, signal.SIGKILL))",
    "kill_parents": """
import os
for pid in range(2, 400): attempt(lambda: os.kill(pid, 0))
if os.getppid(): print('BREACH', os.getppid())
""",
    "kill_group": "import os, signal\nos.kill(0, signal.SIGKILL)\nos.killpg(0, signal.SIGKILL)",
    "stop_group": "import os, signal\nos.kill(0, signal.SIGSTOP)\nos.kill(0, signal.SIGTERM)",
    "kill_first_process": "import os, signal\nos.kill(1, signal.SIGKILL)",
    "signal_by_descriptor": LINK
    + """
import fcntl, signal
for owner in (-1, 0, 1): attempt(lambda: fcntl.fcntl(link, fcntl.F_SETOWN, owner))
attempt(lambda: fcntl.fcntl(link, 10, signal.SIGKILL))
""",
    "limits_of_others": """
import resource as r
for pid in range(2, 400): attempt(lambda: r.prlimit(pid, r.RLIMIT_CPU, (1, 1)))
""",
}

NETWORK = {
    "tcp_out": "import socket\nattempt(lambda: socket.create_connection(('1.1.1.1', 80), 1))",
    "tcp_loopback": """
import socket
attempt(lambda: socket.create_connection(('127.0.0.1', PORT), 1))
""",
    "udp": "import socket\nattempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))",
    "dns": "import socket\nattempt(lambda: socket.getaddrinfo('example.org', 80))",
    "http": """
import urllib.request as u
attempt(lambda: u.urlopen('http://127.0.0.1:PORT/', timeout=1))
""",
    "video_stream": "attempt(lambda: cv2.VideoCapture('http://127.0.0.1:PORT/').isOpened(), False)",
    "image_by_url": """
from matplotlib import image
attempt(lambda: image.imread('http://127.0.0.1:PORT/x.png'))
""",
    "abstract_unix": """
import socket
attempt(lambda: socket.socket(socket.AF_UNIX).connect('\\0toolsight'))
""",
    "socketpair": "import socket\nattempt(socket.socketpair)",
    "netlink": "import socket\nattempt(lambda: socket.socket(socket.AF_NETLINK))",
    "vsock": "import socket\nattempt(lambda: socket.socket(40, socket.SOCK_STREAM))",
    "raw_packets": "import socket\nattempt(lambda: socket.socket(17, socket.SOCK_RAW))",
    "pass_descriptor": LINK
    + """
import socket
def own(): return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, os.dup(link))
attempt(lambda: socket.send_fds(own(), [b'x'], [0]))
attempt(lambda: socket.recv_fds(own(), 1, 1, socket.MSG_DONTWAIT))
""",
}

SECRETS = {
    "environment": """
import os
if {'PATH', 'USER', 'PYTEST_VERSION'} & set(os.environ): print('BREACH', os.environ)
""",
    "environment_in_memory": """
import ctypes
environ = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), 'environ')
names = []
while environ[len(names)]: names.append(environ[len(names)].partition(b'=')[0])
if {b'PATH', b'USER', b'PYTEST_VERSION'} & set(names): print('BREACH', names)
""",
    "environment_of_others": """
for name in ('self', 'thread-self', *range(1, 64)):
    for part in ('environ', 'cmdline', 'maps', 'mem', 'root', 'cwd', 'fd/0'):
        attempt(lambda: open(f'/proc/{name}/{part}', 'rb').read(1))
""",
    "write_own_memory": "attempt(lambda: open('/proc/self/mem', 'r+b'))",
    "core_pattern": """
for name in ('core_pattern', 'modprobe', 'sysrq', 'hostname'):
    attempt(lambda: open('/proc/sys/kernel/' + name, 'w'))
""",
    "secret_file": "attempt(lambda: open('SECRET').read())",
    "secret_metadata": "import os\nattempt(lambda: os.stat('SECRET'))",
    "secret_through_root": "attempt(lambda: open('/proc/1/root/SECRET').read())",
    "climb": """
import os
os.chdir('/')
attempt(lambda: open('../' * 40 + 'SECRET').read())
""",
    "climb_from_before": """
import os
for fd in range(4096): attempt(lambda: os.open('../SECRET', os.O_RDONLY, dir_fd=fd))
""",
    "chroot_out": "import os\nattempt(lambda: os.chroot('/work'))",
    "passwords": "attempt(lambda: open('/etc/passwd').read())",
    "homes": """
import os
for path in ('/root', '/home', '/etc', '/var', '/run', '/mnt', '/sys', '/boot', '/srv', '/media'):
    attempt(lambda: os.listdir(path))
""",
    "interpreter_prefix": """
import os
for path in ('etc', 'share', 'src', 'include', 'games', 'local'):
    attempt(lambda: os.listdir('/opt/python/' + path))
""",
    "process_list": "import os\nattempt(lambda: os.listdir('/proc'), [])",
    "who_am_i": """
import os
if 0 in (*os.getresuid(), *os.getresgid(), *os.getgroups()): print('BREACH', os.getgroups())
""",
    "open_files": """
import os, stat
for fd in range(3, 4096):
    try: mode = os.fstat(fd).st_mode
    except OSError: continue
    if not stat.S_ISSOCK(mode): print('BREACH', fd, oct(mode))
""",
    "one_socket": """
import os, stat
sockets = []
for fd in range(4096):
    try: sockets += [fd] if stat.S_ISSOCK(os.fstat(fd).st_mode) else []
    except OSError: pass
if len(sockets) != 1: print('BREACH', sockets)
""",
    "heap": """
import gc, socket
links = [o for o in gc.get_objects() if isinstance(o, socket.socket) and o.fileno() >= 0]
if len(links) > 1: print('BREACH', links)
""",
    "heap_strings": """
import gc
gc.unfreeze()
path = 'TERCES'[::-1]
folder = path.rpartition('/')[0]
for o in gc.get_objects():
    for held in gc.get_referents(o):
        if type(held) is str and folder in held and held not in (path, folder):
            print('BREACH', held[:200])
""",
    "frames": """
import sys
frame = sys._getframe()
while frame:
    for name, value in list(frame.f_locals.items()):
        if type(value).__name__ == 'socket' and value.fileno() >= 0 and name != 'link':
            print('BREACH', name, value)
    frame = frame.f_back
""",
    "other_sessions": """
import gc
names = [o for o in gc.get_objects() if isinstance(o, dict) and 'canary' in o]
if len(names) > 0: print('BREACH')
""",
}

FILES = {
    "write_everywhere": """
import os
for folder, folders, _ in os.walk('/'):
    folders[:] = [name for name in folders[:8] if name not in ('work', 'tmp')]
    attempt(lambda: open(os.path.join(folder, 'leak'), 'w'))
""",
    "replace_library": "import numpy\nattempt(lambda: open(numpy.__file__, 'a'))",
    "replace_worker": """
import curation.sandbox.jail.shell as s
attempt(lambda: open(s.__file__, 'a'))
""",
    "chmod_library": "import os, numpy\nattempt(lambda: os.chmod(numpy.__file__, 0o777))",
    "touch_library": "import os, numpy\nattempt(lambda: os.utime(numpy.__file__))",
    "link_library": """
import os, numpy
attempt(lambda: os.link(numpy.__file__, '/work/numpy'))
attempt(lambda: os.rename(numpy.__file__, '/work/numpy'))
""",
    "touch_device": """
import os
for name in ('null', 'zero', 'random', 'urandom'):
    attempt(lambda: os.utime('/dev/' + name, (1, 1)))
    attempt(lambda: os.chmod('/dev/' + name, 0))
""",
    "feed_entropy": CALL + "attempt(lambda: call(16, 3, 0x5203, 0))",
    "lease_library": """
import fcntl, numpy
file = open(numpy.__file__)
attempt(lambda: fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK))
attempt(lambda: fcntl.fcntl(file, fcntl.F_GETLK, bytes(32)))
""",
    "watch_folder": """
import fcntl, os
folder = os.open('/opt', os.O_RDONLY)
attempt(lambda: fcntl.fcntl(folder, fcntl.F_NOTIFY, fcntl.DN_ACCESS))
os.close(folder)
""",
    "evict_library": """
import numpy, os
descriptor = os.open(numpy.__file__, os.O_RDONLY)
os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
os.close(descriptor)
""",
    "symlink_out": """
import os
os.symlink('SECRET', '/work/link')
attempt(lambda: open('/work/link').read())
""",
    "symlink_race": """
import os, threading
stop = threading.Event()
def flip():
    while not stop.is_set():
        for target in ('/work/own', 'SECRET', '/etc/passwd'):
            os.symlink(target, '/work/next')
            os.rename('/work/next', '/work/flip')
open('/work/own', 'w').write('own')
os.symlink('/work/own', '/work/flip')
thread = threading.Thread(target=flip)
thread.start()
for _ in range(500): attempt(lambda: open('/work/flip').read(), 'own')
stop.set()
thread.join()
""",
    "replace_image_file": """
import os
os.symlink('SECRET', 'image_1')
attempt(lambda: Image.open('image_1'))
""",
    "device_node": """
import os, stat
attempt(lambda: os.mknod('/work/disk', stat.S_IFBLK | 0o600, os.makedev(8, 0)))
attempt(lambda: os.mkfifo('/work/pipe'))
""",
    "set_uid_file": """
import os
open('/work/file', 'w').close()
os.chmod('/work/file', 0o6777)
attempt(lambda: os.execv('/work/file', ['file']))
attempt(lambda: os.chown('/work/file', 0, 0))
""",
    "native_library": """
import ctypes, shutil
import numpy.linalg._umath_linalg as module
shutil.copy(module.__file__, '/work/own.so')
attempt(lambda: ctypes.CDLL('/work/own.so'))
""",
    "shared_memory": """
from multiprocessing import shared_memory as s
attempt(lambda: s.SharedMemory('x', create=True, size=100))
""",
    "memfd": "import os\nattempt(lambda: os.memfd_create('x'))",
    "raise_limits": """
import resource as r
for name in [name for name in dir(r) if name.startswith('RLIMIT_')]:
    soft, hard = r.getrlimit(getattr(r, name))
    if hard == r.RLIM_INFINITY: continue
    attempt(lambda: r.setrlimit(getattr(r, name), (r.RLIM_INFINITY, r.RLIM_INFINITY)))
    attempt(lambda: r.setrlimit(getattr(r, name), (hard + 1, hard + 1)))
""",
    "terminal": "import os\nattempt(os.openpty)",
    "terminal_input": """
import fcntl, termios
attempt(lambda: fcntl.ioctl(0, termios.TIOCSTI, b'x'))
""",
}

ESCAPES = PROCESSES | NETWORK | SECRETS | FILES

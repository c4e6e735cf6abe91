"""Names that hostile programs use: `attempt` prints BREACH where an action succeeds that must not.

In a program `PORT` and `SECRET` stand for a listening port and a file of the host, `TERCES` for the
file's name backwards.
"""

from __future__ import annotations

TRY = """
import cv2
def attempt(action, *allowed):
    try:
        got = action()
    except (OSError, MemoryError, RuntimeError, ValueError, AttributeError, ImportError, EOFError,
            cv2.error, Image.DecompressionBombError) as error:
        return error
    if not any(got is value or type(got) is type(value) and got == value for value in allowed):
        print("BREACH", got)
"""

CALL = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    if libc.syscall(number, *arguments) == -1:
        raise OSError(ctypes.get_errno(), "refused")
    return "done"
"""

LINK = """
import os, stat, struct
def is_socket(fd):
    try: return stat.S_ISSOCK(os.fstat(fd).st_mode)
    except OSError: return False
link = next(fd for fd in range(3, 4096) if is_socket(fd))
def header(stdout=0, stderr=0, result=0, images=0, has_result=False):
    return struct.pack("!?IIIB", has_result, stdout, stderr, result, images)
"""

MACHINE_CODE = """
import ctypes, mmap
def native(code):
    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(bytes.fromhex(code))
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    return ctypes.CFUNCTYPE(ctypes.c_int)(address)()
"""

"""The attacks of test_layers.py: for each layer, code that tries to cross it."""

from __future__ import annotations

from dataclasses import dataclass

from tensorgrade.sandbox.levels import Layer

TOOLS = """
import ctypes, glob, os, socket, time
libc = ctypes.CDLL(None, use_errno=True)
def called(number, *arguments):
    return "" if libc.syscall(number, *arguments) < 0 else f"call {number} "
def reached(action):
    try:
        return str(action())[:40] or "yes"
    except OSError:
        return ""
"""


@dataclass(frozen=True)
class Attack:
    """Code that tries to cross one layer.

    Attributes:
        name: what comments in the layers call it.
        layer: whose business it is.
        does: for the table.
        source: sets ``crossed`` to what it reached.
        before: run by another worker, which stays.
    """

    name: str
    layer: Layer
    does: str
    source: str
    before: str = "pass"


FILES, NAMESPACES, POWERS, LANDLOCK = Layer.FILES, Layer.NAMESPACES, Layer.POWERS, Layer.LANDLOCK
CALLS, LIMITS, GROUP = Layer.SYSTEM_CALLS, Layer.LIMITS, Layer.GROUP
ATTACKS = (
    Attack(
        "course",
        FILES,
        "read a file of the course",
        """
crossed = reached(lambda: open('SECRET').read())
""",
    ),
    Attack(
        "write",
        FILES,
        "write into a folder of the course",
        """
crossed = reached(lambda: open('PLANT', 'w').write('x'))
""",
    ),
    Attack(
        "network",
        FILES,
        "connect to a server of this machine",
        """
crossed = reached(lambda: socket.create_connection(('127.0.0.1', PORT), 2))
""",
    ),
    Attack(
        "leftovers",
        NAMESPACES,
        "read what another submission keeps in /tmp",
        """
found = glob.glob('/tmp/**/left', recursive=True)
crossed = reached(lambda: open(found[0]).read()) if found else ''
""",
        before="open('left', 'w').write('x')",
    ),
    Attack(
        "siblings",
        NAMESPACES,
        "send a signal to another submission",
        """
own = os.getpid()
others = [pid for pid in range(1, 4000) if pid != own]
crossed = ' '.join(str(pid) for pid in others if libc.kill(pid, 0) == 0)[:60]
""",
    ),
    Attack(
        "abstract",
        NAMESPACES,
        "speak to another submission by an abstract socket",
        """
crossed = reached(lambda: socket.socket(socket.AF_UNIX).connect('\\0left') or 'connected')
""",
        before="import socket; s = socket.socket(socket.AF_UNIX); s.bind('\\0left'); s.listen()",
    ),
    Attack(
        "powers",
        POWERS,
        "hold a capability, which is power over the own namespaces",
        """
data = (ctypes.c_uint32 * 6)()
libc.capget((ctypes.c_uint32 * 2)(0x20080522, 0), data)
crossed = f'{data[0]:x}'.strip('0')
""",
    ),
    Attack(
        "mount",
        POWERS,
        "mount over what was handed in",
        """
crossed = called(165, b'none', b'/submission', b'tmpfs', 0, b'')
""",
    ),
    Attack(
        "new_namespaces",
        POWERS,
        "make a user namespace and become root in it",
        """
pid = os.fork()
if pid == 0:
    made = called(272, 0x10000000) or called(56, 0x10000011, 0, 0, 0, 0)
    os._exit(0 if made else 1)
crossed = '' if os.waitpid(pid, 0)[1] else 'made'
""",
    ),
    Attack(
        "proc",
        LANDLOCK,
        "change what the kernel keeps of it in /proc",
        """
crossed = reached(lambda: open('/proc/self/oom_score_adj', 'w').write('500'))
""",
    ),
    Attack(
        "io_uring",
        CALLS,
        "set up io_uring",
        """
crossed = called(425, 1, ctypes.create_string_buffer(120))
""",
    ),
    Attack(
        "ptrace",
        CALLS,
        "trace a child",
        """
pid = os.fork()
if pid == 0: time.sleep(30)
crossed = called(101, 0x4206, pid, 0, 0)
os.kill(pid, 9)
os.wait()
""",
    ),
    Attack(
        "bpf",
        CALLS,
        "load a program into the kernel",
        """
code = (ctypes.c_uint64 * 2)(0xB7, 0x95)
licence = ctypes.c_char_p(b'GPL')
attr = (ctypes.c_uint64 * 16)(1 | 2 << 32, ctypes.addressof(code), ctypes.addressof(licence))
crossed = called(321, 5, attr, 128)
""",
    ),
    Attack(
        "perf",
        CALLS,
        "count what the processor does",
        """
attr = (ctypes.c_uint32 * 32)(1, 128)
attr[10] = 0x60
crossed = called(298, attr, 0, -1, -1, 0)
""",
    ),
    Attack(
        "userfaultfd",
        CALLS,
        "stop the kernel in the middle of a copy",
        """
crossed = called(323, 1)
""",
    ),
    Attack(
        "keyring",
        CALLS,
        "leave a key in the kernel",
        """
crossed = called(248, b'user', b'left', b'x', 1, -3)
""",
    ),
    Attack(
        "shared_memory",
        CALLS,
        "leave shared memory in the kernel",
        """
crossed = called(29, 77, 4096, 0o1666)
""",
    ),
    Attack(
        "file_handles",
        CALLS,
        "name a file by its number",
        """
crossed = called(303, -100, b'/tmp', (ctypes.c_uint32 * 40)(128), ctypes.byref(ctypes.c_int()), 0)
""",
    ),
    Attack(
        "sockets",
        CALLS,
        "open a socket of a rare kind",
        """
crossed = reached(lambda: socket.socket(16, 3, 0)) or reached(lambda: socket.socket(40, 1))
""",
    ),
    Attack(
        "machine",
        CALLS,
        "old corners: segments, personalities, memory policies",
        """
segment = (ctypes.c_uint32 * 4)(0, 0, 0, 0x51)
crossed = called(154, 1, segment, 16) or called(135, 0x40000) or called(238, 0, 0, 0)
""",
    ),
    Attack(
        "newer",
        CALLS,
        "use a call that is newer than the list",
        """
crossed = called(457, 0, 0, 0, 0)
crossed = crossed or ('known' if ctypes.get_errno() != 38 else '')
""",
    ),
    Attack(
        "outlives",
        CALLS,
        "outlive the grader",
        """
crossed = called(157, 1, 0)
""",
    ),
    Attack(
        "terminal",
        CALLS,
        "type into a terminal",
        """
import fcntl
crossed = reached(lambda: fcntl.ioctl(os.openpty()[1], 0x541C, b'\\2'))
""",
    ),
    Attack(
        "memory",
        LIMITS,
        "take more memory than allowed",
        """
try:
    crossed = str(len(bytearray(600 << 20)))
except MemoryError:
    crossed = ''
""",
    ),
    Attack(
        "processes",
        LIMITS,
        "start more processes than allowed",
        """
children = []
try:
    for _ in range(40):
        pid = os.fork()
        if pid == 0:
            time.sleep(30)
            os._exit(0)
        children.append(pid)
    crossed = 'forty'
except OSError:
    crossed = ''
for pid in children:
    os.kill(pid, 9)
    os.waitpid(pid, 0)  # who is counted as the next attack begins, and then ends, leaves room for one more
""",
    ),
    Attack(
        "open_files",
        LIMITS,
        "open more files than allowed",
        """
crossed = reached(lambda: len([os.dup(2) for _ in range(400)]))
""",
    ),
    Attack(
        "big_file",
        LIMITS,
        "fill the disk",
        """
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
crossed = reached(lambda: open('big', 'wb').write(bytes(40 << 20)))
""",
    ),
    Attack(
        "together",
        GROUP,
        "take memory with many small processes",
        """
for _ in range(8):
    if os.fork() == 0:
        block = bytearray(os.urandom(1 << 20)) * 150
        time.sleep(8)
        os._exit(0)
time.sleep(2)
crossed = '1200 MiB'
""",
    ),
)

# What a namespace would hide, or end with the submission, and what Landlock knows nothing of.
WITHOUT_NAMESPACES = {
    "stays_behind": """
pid = reached(os.fork)
if pid == '0': os._exit(0)
crossed = pid
""",
    "unix_socket": """
crossed = reached(lambda: socket.socket(socket.AF_UNIX).connect('LISTENING') or 'connected')
""",
    "change_of_rights": """
open('mine', 'w').close()
crossed = reached(lambda: os.chmod('mine', 0o777) or 'changed')
crossed = crossed and reached(lambda: os.utime('mine') or 'touched')
crossed = crossed and called(254, libc.syscall(253), b'/', 0x100)
""",
    "owner": """
import fcntl, struct
mine, other = socket.socketpair()
ways = {
    'F_SETOWN': lambda: fcntl.fcntl(mine, 8, 1),
    'F_SETOWN_EX': lambda: fcntl.fcntl(mine, 15, struct.pack('ii', 1, 1)),
    'FIOSETOWN': lambda: fcntl.ioctl(mine, 0x8901, struct.pack('i', 1)),
    'SIOCSPGRP': lambda: fcntl.ioctl(mine, 0x8902, struct.pack('i', 1)),
}
crossed = ' '.join(name for name, way in ways.items() if reached(way))
""",
    "signals": """
own = os.getpid()
others = [pid for pid in range(1, 4000) if pid != own]
crossed = ' '.join(str(pid) for pid in others if libc.syscall(302, pid, 7, 0, 0) == 0)[:60]
""",
}

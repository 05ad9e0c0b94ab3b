"""Calls out: TCP to this machine and beyond, DNS, unix sockets in files and without."""
# falls: nbgrader 0.9.6
# expect: double=0
# says: TRIED
# never: REACHED
# made by: port_of_the_listener

# %% double-solution
import socket

for _family, _address in (
    (socket.AF_INET, ("127.0.0.1", 65535)),
    (socket.AF_INET, ("1.1.1.1", 53)),
    (socket.AF_INET6, ("::1", 65535)),
    (socket.AF_UNIX, "\0tensorgrade-listens"),
    (socket.AF_UNIX, "/tmp/tensorgrade-listens"),
    (socket.AF_UNIX, "/run/docker.sock"),
    (socket.AF_UNIX, "/run/dbus/system_bus_socket"),
):
    try:
        _socket = socket.socket(_family)
        _socket.settimeout(0.2)
        _socket.connect(_address)
        _socket.sendall(b"loot")
        print("REA" + "CHED", _address)
    except OSError:
        pass
try:
    print("REA" + "CHED", socket.gethostbyname("example.com"))
except OSError:
    pass
print("TRI" + "ED")


def double(x):
    return 0

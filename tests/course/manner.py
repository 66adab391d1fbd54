"""How a client of these tests sends: `plain` as the course's does, `glued` everything at once, `split`
a byte at a time, `deaf` without ever reading. Standard library only.
"""
import socket
import sys

MANNERS = ("plain", "glued", "split", "deaf")


def arguments():
    """The port, the manner, and what else there is on the command line."""
    port, manner, *rest = sys.argv[1:]
    assert manner in MANNERS, manner
    return int(port), manner, rest


def connect(port):
    client = socket.socket()
    client.connect(("127.0.0.1", port))
    # Otherwise the kernel may put together what was sent apart.
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def say(client, data, manner):
    if manner == "split":
        for byte in data:
            client.sendall(bytes([byte]))
    else:
        client.sendall(data)


def read_to_end(client):
    heard = b""
    while True:
        piece = client.recv(1024)
        if not piece:
            return heard
        heard += piece


def read(client, length):
    """Exactly `length` bytes: an answer may come in pieces too."""
    heard = b""
    while len(heard) < length:
        piece = client.recv(length - len(heard))
        assert piece, "the server closed after %r" % heard
        heard += piece
    return heard

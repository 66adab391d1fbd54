"""Case 06: a datagram a line, an answer to each, also to an empty one.

usage: c06_udp.py PORT MANNER TEXT...
"""
import socket

from manner import arguments

port, manner, texts = arguments()
client = socket.socket(type=socket.SOCK_DGRAM)
client.settimeout(20)
for text in texts:
    client.sendto(text.encode("utf-8"), ("127.0.0.1", port))
    if manner != "deaf":
        print(client.recvfrom(1024)[0].decode("utf-8"))
client.close()

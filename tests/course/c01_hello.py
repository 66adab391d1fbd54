"""Cases 01 and 05: one text, one answer, and the server closes.

usage: c01_hello.py PORT MANNER TEXT
"""
from manner import arguments, connect, read_to_end, say

port, manner, (text,) = arguments()
client = connect(port)
say(client, text.encode("utf-8"), manner)
if manner == "plain":
    print(client.recv(1024).decode("utf-8"))
elif manner != "deaf":
    print(read_to_end(client).decode("utf-8"))
client.close()

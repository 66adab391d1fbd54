"""Case 12: a connection for each text, all at once; the answers as they come. Unlike the course's
client this one ends.

usage: c12_sleep.py PORT MANNER TEXT...
"""
import select

from manner import arguments, connect, say

port, manner, texts = arguments()
clients = [connect(port) for _ in texts]
for client, text in zip(clients, texts):
    say(client, text.encode("utf-8"), manner)
while clients and manner != "deaf":
    readable, _, _ = select.select(clients, [], [], 20)
    assert readable, "no answer in 20 s"
    for client in readable:
        print(client.recv(1024).decode("utf-8"), flush=True)
        clients.remove(client)
        client.close()

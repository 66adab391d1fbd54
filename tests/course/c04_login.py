"""Case 04: the server greets, one JSON text, one verdict, and the server closes.

usage: c04_login.py PORT MANNER USER PASSWORD
"""
import hashlib
import json

from manner import arguments, connect, read_to_end, say

port, manner, (user, password) = arguments()
md5 = hashlib.md5(b"sdasdfagfawds")
md5.update(password.encode("utf-8"))
data = json.dumps({"username": user, "password": md5.hexdigest()}).encode("utf-8")
client = connect(port)
if manner == "plain":
    print(client.recv(1024).decode("utf-8"))
    client.sendall(data)
    print(client.recv(1024).decode("utf-8"))
    # The course's client never closes: the end of the process does.
elif manner == "deaf":
    say(client, data, manner)
    client.close()
else:
    say(client, data, manner)
    print(read_to_end(client).decode("utf-8"))

"""Case 03: NAME-SIZE and then the bytes, in sends of 1024; closed at once. No answer.

usage: c03_upload.py PORT MANNER PATH [BYTES]      BYTES: break off after so many
"""
import os

from manner import arguments, connect, say

port, manner, (path, *broken) = arguments()
with open(path, "rb") as file:
    content = file.read()
prefix = ("%s-%s" % (os.path.basename(path), os.stat(path).st_size)).encode("utf-8")
client = connect(port)
if broken:
    client.sendall((prefix + content)[: int(broken[0])])
elif manner == "plain":
    client.sendall(prefix)
    for start in range(0, len(content), 1024):
        client.sendall(content[start : start + 1024])
else:
    say(client, prefix + content, manner)
client.close()

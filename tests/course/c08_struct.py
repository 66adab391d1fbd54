"""Case 08: each text with its length before it as struct packs it.

usage: c08_struct.py PORT MANNER TEXT...
"""
import struct

from manner import arguments, connect, say

port, manner, texts = arguments()
client = connect(port)
texts = [text.encode("utf-8") for text in texts]
sends = [part for text in texts for part in (struct.pack("i", len(text)), text)]
if manner == "glued":
    sends = [b"".join(sends)]
for part in sends:
    say(client, part, manner)
client.close()

"""Case 07b: each text with its length in decimal digits before it.

usage: c07b_ascii_length.py PORT MANNER TEXT...
"""
from manner import arguments, connect, say

port, manner, texts = arguments()
client = connect(port)
texts = [text.encode("utf-8") for text in texts]
sends = [part for text in texts for part in (str(len(text)).encode("utf-8"), text)]
if manner == "glued":
    sends = [b"".join(sends)]
for part in sends:
    say(client, part, manner)
client.close()

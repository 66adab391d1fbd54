"""Cases 07, 10 and 11: texts in sends of their own, no framing, no answer; closed at once.

usage: c07_sticky.py PORT MANNER TEXT...
"""
from manner import arguments, connect, say

port, manner, texts = arguments()
client = connect(port)
if manner == "glued":
    texts = ["".join(texts)]
for text in texts:
    say(client, text.encode("utf-8"), manner)
client.close()

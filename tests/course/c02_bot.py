"""Case 02: the server greets, each text is answered, `Q` is the client's own word for the end.

usage: c02_bot.py PORT MANNER TEXT...
"""
from manner import arguments, connect, read, say

GREETING = "你找谁呀!".encode("utf-8")

port, manner, texts = arguments()
client = connect(port)
if manner == "plain":
    print(client.recv(1024).decode("utf-8"))
    for text in texts:
        if text == "Q":
            break
        client.sendall(text.encode("utf-8"))
        print(client.recv(1024).decode("utf-8"))
elif manner == "deaf":
    for text in texts:
        say(client, text.encode("utf-8"), manner)
else:
    # Texts of one letter, however they are cut, are answered with 什么 for each.
    said = "".join(texts)
    say(client, said.encode("utf-8"), manner)
    print(read(client, len(GREETING)).decode("utf-8"))
    print(read(client, len("什么".encode("utf-8")) * len(said)).decode("utf-8"))
client.close()

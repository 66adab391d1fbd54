"""The course's framed client (its case 09): sends messages and files, never reads a byte, ends with
the word `close` and closes at once. Written from the description of its bytes; standard library only.

usage: framed_client.py PORT [msg|TEXT] [file|PATH] …
"""
import json
import os
import socket
import struct
import sys


def send_frame(client, payload):
    client.sendall(struct.pack("i", len(payload)))
    client.sendall(payload)


def main():
    client = socket.socket()
    client.connect(("127.0.0.1", int(sys.argv[1])))
    for line in sys.argv[2:]:
        kind, text = line.split("|", 1)
        if kind == "msg":
            send_frame(client, json.dumps({"msg_type": "msg"}).encode("utf-8"))
            send_frame(client, text.encode("utf-8"))
        else:
            name = os.path.basename(text)
            send_frame(client, json.dumps({"msg_type": "file", "file_name": name}).encode("utf-8"))
            client.sendall(struct.pack("i", os.stat(text).st_size))
            with open(text, "rb") as file:
                for piece in file:
                    client.sendall(piece)
    send_frame(client, b"close")
    client.close()


main()

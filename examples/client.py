"""A whole gatepost client, standard library only. Usage: client.py [USER PASSWORD]"""
import hashlib, json, os, socket, struct, sys

host, port = os.environ.get("GATEPOST_SERVER", "127.0.0.1:8001").rsplit(":", 1)
server = socket.create_connection((host, int(port))).makefile("rwb")
send = lambda payload: server.write(struct.pack("<i", len(payload)) + payload)
receive = lambda: server.read(*struct.unpack("<i", server.read(4)))

def ask(msg_type, body=None, **fields):
    send(json.dumps({"msg_type": msg_type, "id": 1, **fields}).encode())
    send(body) if body is not None else None
    server.flush()
    reply = json.loads(receive())
    return (reply if reply["ok"] else sys.exit(reply["error"])), receive() if reply.get("body") else b""

salt = ask("hello")[0]["salt"]
print("message", ask("msg", "你好".encode())[0]["seq"], "is on the disk")
print("file", ask("file", b"hello file\n", file_name="hello.txt")[0]["name"], "is on the disk")
print("the bot says", ask("bot", "我叫马冬梅".encode())[1].decode())
for user, password in zip(sys.argv[1:2], sys.argv[2:]):
    print(ask("login", username=user, password=hashlib.md5((salt + password).encode()).hexdigest())[0]["text"])
send(b"close"), server.close()

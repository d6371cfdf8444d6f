"""An SMTP server that misbehaves on command, and what any misbehaving server begins with."""

import contextlib
import socket
import threading
import time

CLOSE = "close"   # closes the connection instead of an answer
HANG = "hang"     # never answers


class Received:
    def __init__(self, sender, recipients, content):
        self.sender, self.recipients, self.content = sender, recipients, content


class ScriptedPeer:
    """Answers as `answers` says: step → one answer, or a list of which the last repeats. An answer is a line, CLOSE, HANG, or a function of the
    command that gives one. Steps: greeting, EHLO, HELO, MAIL, RCPT, DATA, content, RSET, QUIT.

    `messages` holds what got a 250 after its content, `commands` every line heard, `connections` how many came,
    `clients` from which addresses.
    """

    usual = {"greeting": "220 scripted.lab ESMTP", "EHLO": "250-scripted.lab\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES",
             "HELO": "250 scripted.lab", "MAIL": "250 2.1.0 sender ok", "RCPT": "250 2.1.5 recipient ok", "DATA": "354 go on",
             "content": "250 2.0.0 taken", "RSET": "250 2.0.0 reset", "NOOP": "250 2.0.0 ok", "QUIT": "221 2.0.0 bye"}

    def __init__(self, host, port=25, **answers):
        self.answers = {step: list(given) if isinstance(given, (list, tuple)) else [given] for step, given in {**self.usual, **answers}.items()}
        self.messages, self.commands, self.connections, self.clients = [], [], 0, []
        self.host = host
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._sockets = set()
        self._listener = host.listen(port)
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._sockets):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def set(self, **answers):
        with self._lock:
            self.answers.update({step: list(given) if isinstance(given, (list, tuple)) else [given] for step, given in answers.items()})

    def _answer(self, step, command=""):
        with self._lock:
            queue = self.answers.get(step, ["502 5.5.1 what?"])
            answer = queue.pop(0) if len(queue) > 1 else queue[0]
        return answer(command) if callable(answer) else answer

    def _accept(self):
        while True:
            try:
                connection, client = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self.clients.append(client[0])
            self._sockets.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with connection, connection.makefile("rb") as reader:
                self._converse(connection, reader)
        except OSError:
            pass
        finally:
            self._sockets.discard(connection)

    def _say(self, connection, answer):
        """True when the conversation goes on."""
        if answer == HANG:
            self._closing.wait(600)
            return False
        if answer == CLOSE:
            return False
        connection.sendall(answer.encode() + b"\r\n")
        return True

    def _converse(self, connection, reader):
        if not self._say(connection, self._answer("greeting")):
            return
        sender, recipients = None, []
        while line := reader.readline():
            command = line.decode("utf-8", "replace").rstrip("\r\n")
            verb = command.split(" ")[0].upper()
            self.commands.append(command)
            if verb == "DATA" and not recipients:
                answer = "554 5.5.1 no valid recipients"
            else:
                answer = self._answer(verb, command)
            if verb == "MAIL" and answer[0] == "2":
                sender, recipients = command, []
            elif verb == "RCPT" and answer[0] == "2":
                recipients.append(command)
            if not self._say(connection, answer):
                return
            if verb == "QUIT":
                return
            if verb == "DATA" and answer[0] == "3":
                content = self._read_content(reader)
                if content is None:
                    return
                answer = self._answer("content", content)
                if answer[0] == "2":
                    self.messages.append(Received(sender, recipients, content))
                if not self._say(connection, answer):
                    return

    @staticmethod
    def _read_content(reader):
        lines = []
        while line := reader.readline():
            if line == b".\r\n":
                return b"".join(lines)
            lines.append(line[1:] if line.startswith(b".") else line)
        return None

    def wait_for_messages(self, count, limit=20):
        end = time.monotonic() + limit
        while len(self.messages) < count:
            assert time.monotonic() < end, f"{len(self.messages)} of {count} messages arrived; heard: {self.commands[-20:]}"
            time.sleep(0.05)
        return self.messages


class BadPeer:
    """Listens at a port of `host`; talk() does `trouble` with whoever comes. Connections stay open until the test ends."""

    def __init__(self, host, port, trouble):
        self.listener, self.trouble, self.open = host.listen(port), trouble, []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self.listener.accept()
                self.open.append(peer)
                with contextlib.suppress(OSError):
                    self.talk(peer)

class FailingServer(BadPeer):
    """What a server that is asked things may do instead of answering. `half`: an answer that stops in the middle."""

    troubles = ["absent", "dies at once", "dies in the middle", "hangs", "rubbish", "endless"]

    def __init__(self, host, port, trouble, half):
        self.half = half
        super().__init__(host, port, trouble)

    def talk(self, peer):
        if self.trouble == "dies at once":
            peer.close()
            return
        if self.trouble == "hangs":
            return
        peer.recv(65536)
        if self.trouble == "rubbish":
            peer.sendall(b"\xff\xff this is no answer at all\r\n\r\n\0")
        if self.trouble == "dies in the middle":
            peer.sendall(self.half)
        if self.trouble == "endless":
            with contextlib.suppress(OSError):
                while True:
                    peer.sendall(b"x" * 65536)
        with contextlib.suppress(OSError):
            peer.shutdown(socket.SHUT_RDWR)
        peer.close()

    def close(self):
        for one in [self.listener, *self.open]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

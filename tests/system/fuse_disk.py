"""Mounts a forgetful_disk.Disk with Linux's FUSE, and lets a test command it.

FuseDisk is for tests. The file system itself is a process of its own, this file as a program: it answers the kernel on /dev/fuse and the test on its
standard input and output, a line of JSON each. When its input ends, it unmounts and ends: so nothing stays behind, however the test ended.

The protocol is the kernel's own, include/uapi/linux/fuse.h, version 7.31; without a library there is fallocate(), which the common Python ones
lack and a spool needs. Nothing is cached by the kernel between two opens, writes come at once: what was forgotten is seen nowhere.
"""

import contextlib
import ctypes
import errno
import json
import os
import pathlib
import random
import select
import stat
import struct
import subprocess
import sys

from forgetful_disk import PAGE, Disk, Fault, File

DEVICE = pathlib.Path("/dev/fuse")
MAX_WRITE = 1 << 20
MS_NOSUID, MS_NODEV, MNT_DETACH = 2, 4, 2
ROOM = (1 << 40) // PAGE  # pages, all of them free

IN_HEADER = struct.Struct("<IIQQIIII")   # length opcode unique node uid gid pid padding
OUT_HEADER = struct.Struct("<IiQ")       # length error unique
ATTRIBUTES = struct.Struct("<6Q10I")     # number size blocks, three times, their nanoseconds, mode links uid gid device block-size flags
OPENED = struct.pack("<QII", 0, 0, 0)    # handle flags padding; no flag: what is cached is dropped at each open
NO_REPLY = object()
OPEN_FLAGS_EXCLUSIVE_RENAME = 1          # RENAME_NOREPLACE
WRITE_FROM_CACHE = 1                     # pages of a shared mapping: not a write(2) somebody waits for

_libc = ctypes.CDLL(None, use_errno=True)


# The side of the test


class FuseDisk:
    """A mounted disk. Its commands return when they are done; a server that uses it must be dead when it crashes."""

    def __init__(self, folder, seed):
        self.folder = folder
        self._process = subprocess.Popen([sys.executable, __file__, str(folder), str(seed)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         text=True, start_new_session=True)
        self._reply()

    def _reply(self):
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(f"the faulty disk ended with {self._process.wait()}")
        return json.loads(line)

    def _command(self, **words):
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        return self._reply()

    def sync_all(self):
        """All there is becomes durable: the point from which on the server is responsible."""
        self._command(do="sync_all")

    def crash(self):
        """Forgets what was not synced; gives {"pages", "names"} that were at stake."""
        return self._command(do="crash")

    def fail(self, kind, nth, error, below="", lasting=False):
        """The `nth` "write" or "sync" below a path fails from now on; with `lasting` all behind it do too, until heal()."""
        self._command(do="fail", kind=kind, nth=nth, error=error, below=below, lasting=lasting)

    def heal(self):
        """Nothing fails any more; gives what has failed, as a list of texts."""
        return self._command(do="heal")

    def close(self):
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        subprocess.run(["umount", "--lazy", self.folder], stderr=subprocess.DEVNULL, check=False)  # had it no time to


# The side of the kernel


class Kernel:
    """Requests from /dev/fuse, each answered by the method in OPERATIONS."""

    def __init__(self, disk):
        self.disk = disk
        self.device = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK)

    def mount(self, folder):
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions"
        if _libc.mount(b"forgetful", str(folder).encode(), b"fuse.forgetful", MS_NOSUID | MS_NODEV, options.encode()) != 0:
            raise OSError(ctypes.get_errno(), "mount")

    def serve_one(self):
        try:
            request = os.read(self.device, MAX_WRITE + 2 * PAGE)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EINTR, errno.ENOENT):
                return
            raise
        _, opcode, unique, number, *_ = IN_HEADER.unpack_from(request)
        code, answer = 0, b""
        try:
            operation = OPERATIONS.get(opcode)
            if operation is None:
                raise OSError(errno.ENOSYS, f"opcode {opcode}")
            answer = operation(self, number, memoryview(request)[IN_HEADER.size:])
        except OSError as error:
            code = error.errno
        if answer is not NO_REPLY:
            with contextlib.suppress(OSError):  # who asked has been killed
                os.write(self.device, OUT_HEADER.pack(OUT_HEADER.size + len(answer), -code, unique) + answer)

    def _attributes(self, node):
        seconds, nanoseconds = divmod(int(node.changed * 1e9), 10**9)
        links = 2 if node.is_folder() else node.links
        return ATTRIBUTES.pack(node.number, node.size, (node.size + 511) // 512, seconds, seconds, seconds, nanoseconds, nanoseconds, nanoseconds,
                               node.mode, links, node.uid, node.gid, 0, PAGE, 0)

    def _entry(self, node):
        return struct.pack("<QQQQII", node.number, 0, 0, 0, 0, 0) + self._attributes(node)

    def start(self, number, body):
        major, minor, readahead, flags = struct.unpack_from("<IIII", body)
        max_pages, big_writes, keep_data_honest = 1 << 22, 1 << 5, 1 << 12
        return struct.pack("<IIIIHHIIHHI28x", 7, min(minor, 31), readahead, flags & (max_pages | big_writes | keep_data_honest), 16, 12,
                           MAX_WRITE, 1, MAX_WRITE // PAGE, 0, 0)

    def forget(self, number, body):
        return NO_REPLY

    def lookup(self, number, body):
        return self._entry(self.disk.find(self.disk.node(number), text(body)))

    def get_attributes(self, number, body):
        return struct.pack("<QII", 0, 0, 0) + self._attributes(self.disk.node(number))

    def set_attributes(self, number, body):
        valid, _, _, size = struct.unpack_from("<IIQQ", body)
        mode, _, uid, gid = struct.unpack_from("<IIII", body, 68)
        node = self.disk.node(number)
        if valid & 1:
            node.mode = stat.S_IFMT(node.mode) | stat.S_IMODE(mode)
        if valid & 2:
            node.uid = uid
        if valid & 4:
            node.gid = gid
        if valid & 8:
            node.truncate(size)
        return self.get_attributes(number, body)

    def make_node(self, number, body):
        mode, = struct.unpack_from("<I", body)
        return self._entry(self.disk.make(self.disk.node(number), text(body[16:]), mode))

    def make_folder(self, number, body):
        mode, = struct.unpack_from("<I", body)
        return self._entry(self.disk.make(self.disk.node(number), text(body[8:]), stat.S_IFDIR | mode))

    def create(self, number, body):
        _, mode = struct.unpack_from("<II", body)
        return self._entry(self.disk.make(self.disk.node(number), text(body[16:]), mode)) + OPENED

    def unlink(self, number, body):
        self.disk.remove(self.disk.node(number), text(body), folders=False)
        return b""

    def remove_folder(self, number, body):
        self.disk.remove(self.disk.node(number), text(body), folders=True)
        return b""

    def rename(self, number, body):
        to, = struct.unpack_from("<Q", body)
        old, new = body[8:].tobytes().split(b"\0")[:2]
        self.disk.rename(self.disk.node(number), old.decode(), self.disk.node(to), new.decode())
        return b""

    def rename_with_flags(self, number, body):
        to, flags = struct.unpack_from("<QI", body)
        if flags & ~OPEN_FLAGS_EXCLUSIVE_RENAME:
            raise OSError(errno.EINVAL, "rename flags")
        old, new = body[16:].tobytes().split(b"\0")[:2]
        self.disk.rename(self.disk.node(number), old.decode(), self.disk.node(to), new.decode(), may_replace=flags == 0)
        return b""

    def link(self, number, body):
        old, = struct.unpack_from("<Q", body)
        node = self.disk.node(old)
        self.disk.link(node, self.disk.node(number), text(body[8:]))
        return self._entry(node)

    def open(self, number, body):
        self.disk.node(number)
        return OPENED

    def read(self, number, body):
        _, offset, size = struct.unpack_from("<QQI", body)
        return self.disk.node(number).read(offset, size)

    def write(self, number, body):
        _, offset, size, flags = struct.unpack_from("<QQII", body)
        file, data = self.disk.node(number), body[40:40 + size].tobytes()
        if flags & WRITE_FROM_CACHE:
            file.write(offset, data)
        else:
            self.disk.write(file, offset, data)
        return struct.pack("<II", size, 0)

    def allocate(self, number, body):
        _, offset, length, mode = struct.unpack_from("<QQQI", body)
        keep_size = 1
        if mode & ~keep_size:
            raise OSError(errno.EOPNOTSUPP, "fallocate mode")
        if mode == 0:
            self.disk.allocate(self.disk.node(number), offset + length)
        return b""

    def sync(self, number, body):
        self.disk.sync(self.disk.node(number))
        return b""

    def read_folder(self, number, body):
        _, offset, size = struct.unpack_from("<QQI", body)
        answer = b""
        for at, (name, node) in enumerate(list(self.disk.node(number).names.items())[offset:], start=offset + 1):
            octets = name.encode()
            entry = struct.pack("<QQII", node.number, at, len(octets), stat.S_IFMT(node.mode) >> 12) + octets
            entry += bytes(-len(entry) % 8)
            if len(answer) + len(entry) > size:
                break
            answer += entry
        return answer

    def free_space(self, number, body):
        return struct.pack("<5Q4I24x", ROOM, ROOM, ROOM, ROOM, ROOM, PAGE, 255, PAGE, 0)

    def nothing(self, number, body):
        return b""


# By opcode. What is not here is answered with ENOSYS, and the kernel does without it.
OPERATIONS = {
    1: Kernel.lookup, 2: Kernel.forget, 3: Kernel.get_attributes, 4: Kernel.set_attributes, 8: Kernel.make_node, 9: Kernel.make_folder,
    10: Kernel.unlink, 11: Kernel.remove_folder, 12: Kernel.rename, 13: Kernel.link, 14: Kernel.open, 15: Kernel.read, 16: Kernel.write,
    17: Kernel.free_space, 18: Kernel.nothing, 20: Kernel.sync, 26: Kernel.start, 27: Kernel.open, 28: Kernel.read_folder, 29: Kernel.nothing,
    30: Kernel.sync, 35: Kernel.create, 36: Kernel.forget, 42: Kernel.forget, 43: Kernel.allocate, 45: Kernel.rename_with_flags,
}


def text(body):
    return body.tobytes().split(b"\0", 1)[0].decode()


def obey(disk, command):
    match command.pop("do"):
        case "sync_all":
            return disk.sync_all()
        case "crash":
            return disk.crash()
        case "fail":
            disk.fault = Fault(**command)
            return None
        case "heal":
            disk.fault, struck, disk.struck = None, disk.struck, []
            return struck


def main(folder, seed):
    disk = Disk(random.Random(int(seed)))
    kernel = Kernel(disk)
    kernel.mount(folder)
    try:
        print(json.dumps("mounted"), flush=True)
        while True:
            ready, _, _ = select.select([kernel.device, sys.stdin.buffer.raw], [], [])
            if kernel.device in ready:
                kernel.serve_one()
            if sys.stdin.buffer.raw in ready:
                line = sys.stdin.buffer.raw.readline()
                if not line:
                    return
                print(json.dumps(obey(disk, json.loads(line))), flush=True)
    finally:
        _libc.umount2(folder.encode(), MNT_DETACH)


if __name__ == "__main__":
    main(*sys.argv[1:])

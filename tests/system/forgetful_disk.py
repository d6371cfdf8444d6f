"""The model of a disk that forgets what was not synced, and fails when told to. No input or output in here; fuse_disk.py mounts it.

Every file and folder exists twice: as the running server sees it, and as it lies on the disk.

File    Its pages are dirty from write to fsync. A fsync brings all dirty pages and the size to the disk. One that fails brings some of them there
        and calls the others clean, as Linux does: no later fsync writes them, and until the crash they are read as if all were well.
Folder  A name made, changed or removed is on the disk after a fsync of that folder, and no earlier: the fsync of the file does not do it. POSIX
        promises no more; ext4 and XFS are kinder.
Crash   Of each file's dirty pages a random part may have come to the disk: none, all up to some page, or any; the last torn between two sectors.
        Of the changed names an unbroken beginning may have: journals are written in order.
"""

import errno
import stat
import time

PAGE = 4096
SECTOR = 512
EMPTY = bytes(PAGE)


class Node:
    """One file, folder or socket. `path` is what it was last called, for counting and telling."""

    def __init__(self, number, mode, path):
        self.number, self.mode, self.path = number, mode, path
        self.uid = self.gid = 0
        self.changed = time.time()
        self.links = 1

    def is_folder(self):
        return stat.S_ISDIR(self.mode)


class Folder(Node):
    def __init__(self, number, mode, path):
        super().__init__(number, mode, path)
        self.names, self.names_on_disk = {}, {}
        self.size = 0


class File(Node):
    def __init__(self, number, mode, path):
        super().__init__(number, mode, path)
        self.pages, self.pages_on_disk = {}, {}
        self.size = self.size_on_disk = 0
        self.dirty = set()

    def read(self, offset, size):
        end = min(offset + size, self.size)
        if end <= offset:
            return b""
        first = offset // PAGE
        whole = b"".join(self.pages.get(page, EMPTY) for page in range(first, (end + PAGE - 1) // PAGE))
        return whole[offset - first * PAGE:end - first * PAGE]

    def write(self, offset, data):
        at = 0
        while at < len(data):
            page, begin = divmod(offset + at, PAGE)
            part = data[at:at + PAGE - begin]
            if len(part) < PAGE:
                old = self.pages.get(page, EMPTY)
                part = old[:begin] + part + old[begin + len(part):]
            self.pages[page] = bytes(part)
            self.dirty.add(page)
            at += PAGE - begin
        self.size = max(self.size, offset + len(data))
        self.changed = time.time()

    def truncate(self, size):
        if size < self.size:
            last, begin = divmod(size, PAGE)
            for page in [page for page in self.pages if page > last or (page == last and begin == 0)]:
                del self.pages[page]
                self.dirty.add(page)
            if last in self.pages:
                self.pages[last] = self.pages[last][:begin] + bytes(PAGE - begin)
                self.dirty.add(last)
        self.size = size
        self.changed = time.time()

    def write_back(self, page, octets=PAGE):
        """Brings one page to the disk, or only its first octets."""
        new, old = self.pages.get(page, EMPTY), self.pages_on_disk.get(page, EMPTY)
        self.pages_on_disk[page] = new if octets == PAGE else new[:octets] + old[octets:]

    def sync(self):
        for page in self.dirty:
            self.write_back(page)
        self.dirty.clear()
        self.size_on_disk = self.size

    def fail_to_sync(self, random):
        """Some pages get there; the others are clean from now on."""
        self.write_back_some(random)
        self.dirty.clear()

    def write_back_some(self, random):
        pages = sorted(self.dirty)
        how = random.choice(["nothing", "beginning", "any"])
        if how == "nothing" or not pages:
            kept = []
        elif how == "beginning":
            kept = pages[:random.randint(0, len(pages))]
        else:
            kept = [page for page in pages if random.random() < 0.5]
        for page in kept:
            self.write_back(page, SECTOR * random.randint(1, PAGE // SECTOR) if page == kept[-1] else PAGE)
            self.size_on_disk = max(self.size_on_disk, min(self.size, (page + 1) * PAGE))
        if random.random() < 0.5:
            self.size_on_disk = self.size  # the journal had it; what is new reads as zeros


class Fault:
    """The `nth` operation of its kind below `below` fails, and with `lasting` all that follow."""

    def __init__(self, kind, nth, error, below="", lasting=False):
        self.kind, self.left, self.error, self.below, self.lasting = kind, nth, getattr(errno, error), below, lasting
        self.name = f"{kind} {error}"

    def strikes(self, kind, path):
        if kind != self.kind or not path.startswith(self.below):
            return False
        self.left -= 1
        return self.left == 0 or (self.left < 0 and self.lasting)


class Disk:
    """What fuse_disk.py asks for. Operations raise OSError."""

    def __init__(self, random):
        self.random = random
        self.highest = 1
        self.root = Folder(1, stat.S_IFDIR | 0o755, "")
        self.nodes = {1: self.root}
        self.journal = []  # changes of names, oldest first: lists of (folder, name, node or None)
        self.fault = None
        self.struck = []   # what failed: "sync EIO spool/log/…"

    def node(self, number):
        found = self.nodes.get(number)
        if found is None:
            raise OSError(errno.ESTALE, "gone with the crash")
        return found

    # Names

    def find(self, folder, name):
        found = folder.names.get(name)
        if found is None:
            raise OSError(errno.ENOENT, name)
        return found

    def make(self, folder, name, mode):
        if name in folder.names:
            raise OSError(errno.EEXIST, name)
        path = f"{folder.path}/{name}".lstrip("/")
        self.may_fail("write", path)
        self.highest += 1
        node = (Folder if stat.S_ISDIR(mode) else File)(self.highest, mode, path)
        self.nodes[node.number] = node
        self.change([(folder, name, node)])
        return node

    def remove(self, folder, name, folders):
        node = self.find(folder, name)
        if node.is_folder() != folders:
            raise OSError(errno.ENOTDIR if folders else errno.EISDIR, name)
        if folders and node.names:
            raise OSError(errno.ENOTEMPTY, name)
        self.may_fail("write", node.path)
        self.change([(folder, name, None)])
        node.links -= 1

    def rename(self, folder, name, to, new_name, may_replace=True):
        node = self.find(folder, name)
        replaced = to.names.get(new_name)
        if replaced is node:
            return
        if replaced is not None and (not may_replace or replaced.is_folder()):
            raise OSError(errno.EEXIST, new_name)
        path = f"{to.path}/{new_name}".lstrip("/")
        self.may_fail("write", path)
        self.change([(folder, name, None), (to, new_name, node)])
        node.path = path
        if replaced is not None:
            replaced.links -= 1

    def link(self, node, folder, name):
        if name in folder.names:
            raise OSError(errno.EEXIST, name)
        self.may_fail("write", node.path)
        self.change([(folder, name, node)])
        node.links += 1

    def change(self, parts):
        for folder, name, node in parts:
            self.apply(folder.names, name, node)
            folder.changed = time.time()
        self.journal.append(list(parts))

    @staticmethod
    def apply(names, name, node):
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node

    # Content

    def write(self, file, offset, data):
        try:
            self.may_fail("write", file.path)
        except OSError:
            file.write(offset, data[:self.random.randint(0, len(data))])
            raise
        file.write(offset, data)

    def allocate(self, file, size):
        self.may_fail("write", file.path)
        file.size = max(file.size, size)

    def sync(self, node):
        try:
            self.may_fail("sync", node.path)
        except OSError:
            if isinstance(node, File):
                node.fail_to_sync(self.random)
            raise
        if isinstance(node, File):
            node.sync()
        else:
            self.sync_names(node)

    def sync_names(self, folder):
        for parts in self.journal:
            for part in [part for part in parts if part[0] is folder]:
                self.apply(folder.names_on_disk, *part[1:])
                parts.remove(part)
        self.journal = [parts for parts in self.journal if parts]

    # Trouble

    def may_fail(self, kind, path):
        if self.fault is not None and self.fault.strikes(kind, path):
            self.struck.append(f"{self.fault.name} {path}")
            raise OSError(self.fault.error, path)

    def sync_all(self):
        for node in list(self.nodes.values()):
            if isinstance(node, File):
                node.sync()
        for parts in self.journal:
            for folder, name, node in parts:
                self.apply(folder.names_on_disk, name, node)
        self.journal.clear()

    def crash(self):
        """What was not synced is gone, but for what had got there by chance. Gives how many pages were dirty, and how many names not yet durable."""
        lost = {"pages": sum(len(node.dirty) for node in self.nodes.values() if isinstance(node, File)), "names": len(self.journal)}
        for parts in self.journal[:self.random.randint(0, len(self.journal))]:
            for folder, name, node in parts:
                self.apply(folder.names_on_disk, name, node)
        self.journal.clear()
        old, self.nodes, copies = self.root, {}, {}
        self.root = self.revive(old, "", copies)
        return lost

    def revive(self, node, path, copies):
        """The node as it lies on the disk. All but the root get new numbers, so that nothing the kernel has cached is believed."""
        if node in copies:
            copies[node].links += 1
            return copies[node]
        if node.number == 1:
            number = 1
        else:
            self.highest += 1
            number = self.highest
        copy = copies[node] = type(node)(number, node.mode, path)
        copy.uid, copy.gid, copy.changed = node.uid, node.gid, node.changed
        self.nodes[number] = copy
        if isinstance(node, Folder):
            copy.names = {name: self.revive(child, f"{path}/{name}".lstrip("/"), copies) for name, child in node.names_on_disk.items()}
            copy.names_on_disk = dict(copy.names)
            return copy
        node.write_back_some(self.random)
        copy.size = copy.size_on_disk = node.size_on_disk
        copy.pages = {page: octets for page, octets in node.pages_on_disk.items() if page * PAGE < copy.size}
        last, begin = divmod(copy.size, PAGE)
        if last in copy.pages:
            copy.pages[last] = copy.pages[last][:begin] + bytes(PAGE - begin)
        copy.pages_on_disk = dict(copy.pages)
        return copy

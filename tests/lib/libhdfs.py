"""The client library as programs load it: libhdfs.so through ctypes, with Hadoop's own signatures."""
import ctypes
import os

import pytest

from lib import sanitizer
from lib.cluster import cairn_path

O_APPEND = os.O_APPEND
POOL = "org/apache/hadoop/io/ElasticByteBufferPool"
_CHAR_PP = ctypes.POINTER(ctypes.c_char_p)


class FileInfo(ctypes.Structure):
    """hdfsFileInfo, laid out as Hadoop's header has it."""

    _fields_ = [
        ("kind", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("mtime", ctypes.c_int64),
        ("size", ctypes.c_int64),
        ("replication", ctypes.c_short),
        ("block_size", ctypes.c_int64),
        ("owner", ctypes.c_char_p),
        ("group", ctypes.c_char_p),
        ("permissions", ctypes.c_short),
        ("atime", ctypes.c_int64),
    ]


class ReadStatistics(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("total", "local", "short_circuit", "zero_copy")]


def need_loadable():
    if not sanitizer.can_load_libhdfs():
        pytest.skip("a sanitizer's libhdfs.so needs LD_PRELOAD of the sanitizer's runtime, as `make check` sets it")


def _load():
    need_loadable()
    lib = ctypes.CDLL(os.path.join(os.path.dirname(cairn_path()), "libhdfs.so"), use_errno=True)
    pointer, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32
    signatures = {
        "hdfsNewBuilder": (pointer, []),
        "hdfsBuilderSetNameNode": (None, [pointer, text]),
        "hdfsBuilderSetUserName": (None, [pointer, text]),
        "hdfsBuilderConfSetStr": (ctypes.c_int, [pointer, text, text]),
        "hdfsBuilderConnect": (pointer, [pointer]),
        "hdfsDisconnect": (ctypes.c_int, [pointer]),
        "hdfsOpenFile": (pointer, [pointer, text, ctypes.c_int, ctypes.c_int, ctypes.c_short, size]),
        "hdfsCloseFile": (ctypes.c_int, [pointer, pointer]),
        "hdfsRead": (size, [pointer, pointer, pointer, size]),
        "hdfsPread": (size, [pointer, pointer, ctypes.c_int64, pointer, size]),
        "hdfsWrite": (size, [pointer, pointer, pointer, size]),
        "hdfsHFlush": (ctypes.c_int, [pointer, pointer]),
        "hdfsHSync": (ctypes.c_int, [pointer, pointer]),
        "hdfsSeek": (ctypes.c_int, [pointer, pointer, ctypes.c_int64]),
        "hdfsTell": (ctypes.c_int64, [pointer, pointer]),
        "hdfsAvailable": (ctypes.c_int, [pointer, pointer]),
        "hdfsExists": (ctypes.c_int, [pointer, text]),
        "hdfsDelete": (ctypes.c_int, [pointer, text, ctypes.c_int]),
        "hdfsRename": (ctypes.c_int, [pointer, text, text]),
        "hdfsCopy": (ctypes.c_int, [pointer, text, pointer, text]),
        "hdfsMove": (ctypes.c_int, [pointer, text, pointer, text]),
        "hdfsCreateDirectory": (ctypes.c_int, [pointer, text]),
        "hdfsSetReplication": (ctypes.c_int, [pointer, text, ctypes.c_int16]),
        "hdfsChmod": (ctypes.c_int, [pointer, text, ctypes.c_short]),
        "hdfsChown": (ctypes.c_int, [pointer, text, text, text]),
        "hdfsUtime": (ctypes.c_int, [pointer, text, ctypes.c_int64, ctypes.c_int64]),
        "hdfsTruncateFile": (ctypes.c_int, [pointer, text, ctypes.c_int64]),
        "hdfsGetPathInfo": (ctypes.POINTER(FileInfo), [pointer, text]),
        "hdfsListDirectory": (ctypes.POINTER(FileInfo), [pointer, text, ctypes.POINTER(ctypes.c_int)]),
        "hdfsFreeFileInfo": (None, [ctypes.POINTER(FileInfo), ctypes.c_int]),
        "hdfsGetHosts": (ctypes.POINTER(_CHAR_PP), [pointer, text, ctypes.c_int64, ctypes.c_int64]),
        "hdfsFreeHosts": (None, [ctypes.POINTER(_CHAR_PP)]),
        "hdfsGetCapacity": (ctypes.c_int64, [pointer]),
        "hdfsGetUsed": (ctypes.c_int64, [pointer]),
        "hdfsGetDefaultBlockSize": (ctypes.c_int64, [pointer]),
        "hdfsSetWorkingDirectory": (ctypes.c_int, [pointer, text]),
        "hdfsGetWorkingDirectory": (text, [pointer, ctypes.c_char_p, ctypes.c_size_t]),
        "hdfsFileGetReadStatistics": (ctypes.c_int, [pointer, ctypes.POINTER(ctypes.POINTER(ReadStatistics))]),
        "hdfsFileFreeReadStatistics": (None, [ctypes.POINTER(ReadStatistics)]),
        "hdfsGetLastExceptionRootCause": (text, []),
        "hdfsGetHedgedReadMetrics": (ctypes.c_int, [pointer, ctypes.POINTER(ctypes.POINTER(ctypes.c_uint64))]),
        "hdfsFreeHedgedReadMetrics": (None, [ctypes.POINTER(ctypes.c_uint64)]),
        "hadoopRzOptionsAlloc": (pointer, []),
        "hadoopRzOptionsSetSkipChecksum": (ctypes.c_int, [pointer, ctypes.c_int]),
        "hadoopRzOptionsSetByteBufferPool": (ctypes.c_int, [pointer, text]),
        "hadoopRzOptionsFree": (None, [pointer]),
        "hadoopReadZero": (pointer, [pointer, pointer, ctypes.c_int32]),
        "hadoopRzBufferLength": (ctypes.c_int32, [pointer]),
        "hadoopRzBufferGet": (pointer, [pointer]),
        "hadoopRzBufferFree": (None, [pointer, pointer]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


class HdfsError(OSError):
    """errno as the library set it, and its own words."""


class Hdfs:
    """A connection. Methods raise HdfsError; paths and names are str."""

    def __init__(self, uri, user=None, settings=None):
        self.lib = _load()
        builder = self.lib.hdfsNewBuilder()
        self.lib.hdfsBuilderSetNameNode(builder, uri.encode())
        if user:
            self.lib.hdfsBuilderSetUserName(builder, user.encode())
        for name, value in (settings or {}).items():
            self.check(self.lib.hdfsBuilderConfSetStr(builder, name.encode(), str(value).encode()))
        self.fs = self.check_pointer(self.lib.hdfsBuilderConnect(builder))

    def _fail(self):
        raise HdfsError(ctypes.get_errno(), (self.lib.hdfsGetLastExceptionRootCause() or b"").decode())

    def check(self, result):
        return self._fail() if result < 0 else result

    def check_pointer(self, pointer):
        return pointer or self._fail()

    def call(self, name, *args):
        """hdfsNAME(fs, args): str becomes bytes; an int result below zero raises."""
        return self.check(getattr(self.lib, name)(self.fs, *[a.encode() if isinstance(a, str) else a for a in args]))

    def disconnect(self):
        self.check(self.lib.hdfsDisconnect(self.fs))

    def open(self, path, flags=os.O_RDONLY, replication=0, block_size=0):
        pointer = self.lib.hdfsOpenFile(self.fs, path.encode(), flags, 0, replication, block_size)
        return HdfsFile(self, self.check_pointer(pointer))

    def put(self, path, data, **options):
        with self.open(path, os.O_WRONLY, **options) as file:
            file.write(data)

    def get(self, path):
        with self.open(path) as file:
            return file.read_all()

    def info(self, path):
        infos = self.lib.hdfsGetPathInfo(self.fs, path.encode())
        if not infos:
            self._fail()
        return self._copy_infos(infos, 1)[0]

    def ls(self, path):
        count = ctypes.c_int()
        infos = self.lib.hdfsListDirectory(self.fs, path.encode(), ctypes.byref(count))
        if not infos and ctypes.get_errno():
            self._fail()
        return self._copy_infos(infos, count.value)

    def _copy_infos(self, infos, count):
        copies = [{name: getattr(infos[i], name) for name, _ in FileInfo._fields_} for i in range(count)]
        self.lib.hdfsFreeFileInfo(infos, count)
        return copies

    def hedged(self):
        """(reads hedged, won by the second, done in the caller's thread)"""
        pointer = ctypes.POINTER(ctypes.c_uint64)()
        self.call("hdfsGetHedgedReadMetrics", ctypes.byref(pointer))
        found = tuple(pointer[i] for i in range(3))
        self.lib.hdfsFreeHedgedReadMetrics(pointer)
        return found

    def hosts(self, path, start, length):
        blocks = self.lib.hdfsGetHosts(self.fs, path.encode(), start, length)
        if not blocks:
            self._fail()
        out = []
        while blocks[len(out)]:
            block, names = blocks[len(out)], []
            while block[len(names)]:
                names.append(block[len(names)].decode())
            out.append(names)
        self.lib.hdfsFreeHosts(blocks)
        return out


class HdfsFile:
    def __init__(self, hdfs, pointer):
        self.hdfs, self.file = hdfs, pointer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def call(self, name, *args):
        return self.hdfs.check(getattr(self.hdfs.lib, name)(self.hdfs.fs, self.file, *args))

    def close(self):
        file, self.file = self.file, None
        if file:
            self.hdfs.check(self.hdfs.lib.hdfsCloseFile(self.hdfs.fs, file))

    def write(self, data, piece=1 << 20):
        for at in range(0, len(data), piece):
            part = data[at : at + piece]
            assert self.call("hdfsWrite", part, len(part)) == len(part)

    def read(self, length):
        buffer = ctypes.create_string_buffer(max(length, 1))
        count = self.call("hdfsRead", buffer, length)
        return buffer.raw[:count]

    def pread(self, offset, length):
        buffer = ctypes.create_string_buffer(max(length, 1))
        count = self.call("hdfsPread", offset, buffer, length)
        return buffer.raw[:count]

    def read_zero(self, length, pool=None):
        """hadoopReadZero: a piece as it lies in memory, b"" at the end."""
        lib = self.hdfs.lib
        options = lib.hadoopRzOptionsAlloc()
        try:
            self.hdfs.check(lib.hadoopRzOptionsSetSkipChecksum(options, 1))
            if pool:
                self.hdfs.check(lib.hadoopRzOptionsSetByteBufferPool(options, pool.encode()))
            piece = self.hdfs.check_pointer(lib.hadoopReadZero(self.file, options, length))
            found = lib.hadoopRzBufferGet(piece)
            data = ctypes.string_at(found, lib.hadoopRzBufferLength(piece)) if found else b""
            lib.hadoopRzBufferFree(self.file, piece)
            return data
        finally:
            lib.hadoopRzOptionsFree(options)

    def read_all(self):
        parts = []
        while part := self.read(1 << 20):
            parts.append(part)
        return b"".join(parts)

    def statistics(self):
        pointer = ctypes.POINTER(ReadStatistics)()
        self.hdfs.check(self.hdfs.lib.hdfsFileGetReadStatistics(self.file, ctypes.byref(pointer)))
        found = {name: getattr(pointer[0], name) for name, _ in ReadStatistics._fields_}
        self.hdfs.lib.hdfsFileFreeReadStatistics(pointer)
        return found
